"""Real nginx in front of a server, as in a deployment: TLS, a path prefix, compression, client certificates.

    with Nginx(influxd.url, certificate=(chain, key)) as proxy:
        ...  # proxy.url, which ends in /influx

`python -m tests.servers.nginx --install` only installs nginx if necessary.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from tests.servers.debian import unpack_program
from tests.servers.folders import make_data_folder
from tests.servers.leash import release_leash, start_leash
from tests.servers.ports import reserve_port

START_DEADLINE = 30.0
STOP_DEADLINE = 10.0
POLL = 0.01

_CONFIGURATION = """
daemon off;
master_process off;
error_log stderr warn;
pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size {max_body};
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        {client_certificates}
        location /influx/ {{
            proxy_pass {upstream}/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


class Nginx:
    """nginx on a free loopback port, in front of `upstream`, with a certificate chain and its key."""

    host = "127.0.0.1"

    def __init__(
        self, upstream: str, certificate: tuple[Path, Path], *, client_ca: Path | None = None, max_body: int = 1_000_000
    ) -> None:
        self._upstream = urlsplit(upstream)._replace(path="").geturl()
        self._chain, self._key = certificate
        self._client_ca = client_ca
        self._max_body = max_body
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/influx"

    def __enter__(self) -> Self:
        self._folder = make_data_folder("nginx-")
        self._reserved = reserve_port(self.host)
        self.port = self._reserved.getsockname()[1]
        asked = "" if self._client_ca is None else f"ssl_client_certificate {self._client_ca}; ssl_verify_client on;"
        (self._folder / "nginx.conf").write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                port=self.port,
                chain=self._chain,
                key=self._key,
                client_certificates=asked,
                upstream=self._upstream,
                max_body=self._max_body,
            )
        )
        log = self._folder / "log"
        with log.open("wb") as file:
            self._process = subprocess.Popen(
                [find_nginx(), "-p", self._folder, "-c", self._folder / "nginx.conf", "-e", "stderr"],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._leash = start_leash(self._process, self._folder)
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._process as process:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
        release_leash(self._leash)
        self._reserved.close()
        shutil.rmtree(self._folder)

    def _wait_until_ready(self, log: Path) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while True:
            try:
                return socket.create_connection((self.host, self.port), timeout=5).close()
            except ConnectionRefusedError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"nginx does not start:\n{log.read_text()}") from None
            time.sleep(POLL)


def find_nginx() -> Path:
    """Return nginx from PATH or the system's folders, or from Debian's package in `.cache`."""
    installed = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    return Path(installed) if installed else unpack_program("nginx", "usr/sbin/nginx")


if __name__ == "__main__":
    if sys.argv[1:] != ["--install"]:
        raise SystemExit(__doc__)
    print(f"nginx: {find_nginx()}")  # noqa: T201 -- a program, here
