"""Process with a file size limit of a few KiB, to test a batch writer with a spool on a full disk.

    python -m tests.adapters.full_disk MODULE:DRIVER URL DATABASE DIRECTORY

Prints each error and the number of lines accepted before it.
"""

from __future__ import annotations

import resource
import signal
import sys

from influx_proto import Spool, SpoolError

from tests.conformance.drivers import load


def main(spec: str, url: str, database: str, directory: str) -> None:
    driver = load(spec)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing then raises EFBIG instead of killing the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    with driver.client(url, database=database) as client:
        with client.batch_writer(spool=Spool(directory), max_delay=60.0) as writer:
            taken = 0
            for _ in range(3):  # each round frees space by delivering the stored lines
                try:
                    while True:
                        writer.write([f"m n={n}i {n}" for n in range(taken, taken + 10)])
                        taken += 10
                except SpoolError as error:
                    sys.stdout.write(f"{taken}|{error.__cause__!r}|{error}\n")
                assert writer.pending == taken - writer.written
                writer.flush()
    assert (writer.written, writer.pending) == (taken, 0)
    sys.stdout.write(f"{taken}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
