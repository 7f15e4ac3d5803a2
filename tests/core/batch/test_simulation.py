"""Random runs of a batch writer in a simulated world: each line has one fate, and the last value of a point remains.

Several writers use one spool, one after the other. Tasks write, wait and are cancelled; the server fails, rejects lines
and loses responses; the files fail, and the process ends anywhere. A seed determines the whole run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from influx_proto import (
    BufferFullError,
    InfluxDBError,
    PartialWriteError,
    RetryPolicy,
    Spool,
    SpoolError,
    UndeliveredError,
    UndeliveredLines,
)
from influx_proto._batch.async_writer import AsyncBatchWriter
from influx_proto._batch.options import BatchOptions
from influx_proto._runtime.settings import Settings

from tests.core.batch.event_loop import Cancelled, Loop, Signal, Stopped, Task
from tests.core.batch.simulated_server import Files, Outage, Point, Server

_UNITS = {"s": 10**9, "ms": 10**6, "ns": 1}
_OUTAGES = ("unreachable", "500", "502", "503", "429", "401", "page", "missing database", "lost")


class Line(NamedTuple):
    number: int
    kind: str
    point: Point


class Failure(Exception):
    """Raised by the code of the user."""


class World:
    """What outlives the processes: the server, the files, and what the user knows of each line."""

    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.loop = Loop(random)
        self.server = Server(self.loop, random.choice(["v1", "v2", "v3", "silent"]), random.choice([150, 10_000]))
        self.files: dict[str, bytes] = {}
        self.has_spool = random.random() < 0.7
        self.kinds = random.choice([
            ["good"],
            ["good"] * 8 + ["unparsable", "conflict", "long"],
            ["good"] * 5 + ["unparsable", "conflict", "long", "crash"],
        ])
        self.lines: list[Line] = []
        #: Numbers of lines, in the order in which each task wrote them.
        self.accepted: list[int] = []
        self.unknown: set[int] = set()
        self.not_accepted: set[int] = set()
        self.rejected: Counter[int] = Counter()
        self.undelivered: Counter[int] = Counter()
        #: Lines that a killed process reported as rejected or undelivered; the next one may report them again.
        self.reported_by_killed: set[int] = set()
        self.log: list[str] = []
        self.problems: list[str] = []
        self.lives = 0

    def note(self, text: str) -> None:
        self.log.append(f"{self.loop.time:7.2f} {text}")

    def new_line(self, task: int, db: str, rp: str, precision: str) -> tuple[Line, str]:
        random = self.random
        number, kind = len(self.lines), random.choice(self.kinds)
        time = random.randrange(3)
        measurement = "good" if kind == "long" else kind
        series = f"{measurement},k={task}"
        field = f"v={number}i" + (f',long="{"x" * self.server.max_body}"' if kind == "long" else "")
        stamp = time * 10**9 // _UNITS[precision]
        line = Line(number, kind, (db, rp, series, time * 10**9))
        self.lines.append(line)
        return line, f"{series} {field} {stamp}"

    def expected_fates(self) -> None:  # noqa: C901 - a list of checks
        """Check the fates of all lines after the last writer has delivered everything."""
        stored = self.server.ever_stored
        problems = self.problems
        for number in self.not_accepted:
            if number in stored or number in self.rejected or number in self.undelivered:
                problems.append(f"{number} was not accepted, but delivered, rejected or returned")
        for number in self.accepted:
            line = self.lines[number]
            is_good = line.kind == "good"
            fates = self.rejected[number] + self.undelivered[number]
            fates = fates or (number in self.reported_by_killed and not (is_good and number in stored))
            if fates > 1 and number not in self.reported_by_killed:
                problems.append(f"{line} rejected {self.rejected[number]}, undelivered {self.undelivered[number]}")
            if is_good and number in self.rejected:
                problems.append(f"{line} is good, but rejected")
            if is_good and not fates and number not in stored:
                problems.append(f"{line} is lost")
            if not is_good and not fates:
                problems.append(f"{line} was not reported")
        by_point: dict[Point, list[int]] = {}
        for line in self.lines:
            if line.number in self.accepted or line.number in self.unknown:
                by_point.setdefault(line.point, []).append(line.number)
        for point, value in self.server.stored.items():
            written = by_point.get(point, [])
            last = next(
                (n for n in reversed(written) if n in stored and n in self.accepted and not self.undelivered[n]), -1
            )
            if value < last:
                problems.append(f"{point} has {value} instead of {last}")
        assert not problems, "\n".join(["", *self.log, *problems])


class Life:
    """One process with a batch writer."""

    def __init__(self, world: World, *, is_last: bool = False) -> None:
        self.world = world
        self.is_last = is_last
        self.loop, random = world.loop, world.random
        world.lives += 1
        self.files = Files(random, dict(world.files))
        fails = random.random() < 0.5 and not is_last
        self.failing = random.choice([0.02, 0.2]) if fails else 0.0
        self.ending = 0.03 if world.has_spool and random.random() < 0.3 and not is_last else 0.0
        retry = RetryPolicy(random.choice([1, 2, 4]), max_total=5.0, backoff=0.1, max_backoff=1.0, random=random.random)
        server = world.server
        begin = self.loop.time
        server.outages = []
        for _ in range(0 if is_last else random.choice([0, 1, 3])):
            begin += random.uniform(0, 4)
            end = begin + random.choice([0.3, 2, 8])
            kind = random.choice(_OUTAGES)
            server.outages.append(Outage(begin, end, kind, f"outage at {begin}"))
            begin = end
        self.options = BatchOptions(
            max_lines=random.choice([1, 3, 6, 100]),
            max_bytes=random.choice([60, 10_000]),
            max_delay=random.choice([0.0, 0.3, 2.0]),
            max_pending=random.choice([2, 5, 20, 1000]) if not is_last else 1000,
            max_pending_bytes=random.choice([100, 1000, 100_000]) if not is_last else 100_000,
            when_full=random.choice(["wait", "raise", "drop_oldest"]) if not is_last else "wait",
            exit_timeout=random.choice([0.0, 1.0, 20.0]) if not is_last else 10_000.0,
            on_error=self.on_error,
            spool=Spool("folder", max_bytes=random.choice([700, 3000, 10**6]) if not is_last else 10**6)
            if world.has_spool
            else None,
        )
        self.writer = AsyncBatchWriter(
            Settings(database="db0", retry=retry),
            server,
            self.options,
            Signal(self.loop),
            self.loop.background,
            (self.files, self.loop.in_thread) if world.has_spool else None,
        )
        self.accepted_lines = 0
        self.found = 0
        self.reported_undelivered = 0
        self.reported_rejected = 0
        self.reported: set[int] = set()
        self.in_progress: set[int] = set()
        self.receipts: list[tuple[Any, list[int]]] = []
        self.is_stopped = False
        world.note(f"life {world.lives}: {self.options}, {server.product} {server.outages} failing {self.failing}")

    def number_of(self, line: str) -> int:
        return int(line.split(" ")[1][2:].partition("i")[0])

    def numbers_of(self, lines: UndeliveredLines) -> list[int]:
        return [self.number_of(line) for line in lines.data.decode().split("\n")]

    def on_error(self, error: InfluxDBError) -> None:
        self.world.note(f"on_error {type(error).__name__}: {error}"[:200])
        if isinstance(error, PartialWriteError):
            for line, _ in error.rejected:
                self.world.rejected[self.number_of(line)] += 1
                self.reported.add(self.number_of(line))
                self.reported_rejected += 1
        if isinstance(error, UndeliveredError):
            self.add_undelivered(error.undelivered)

    def add_undelivered(self, undelivered: Any) -> None:
        for lines in undelivered:
            numbers = self.numbers_of(lines)
            assert len(numbers) == lines.lines
            self.reported_undelivered += lines.lines
            self.world.undelivered.update(numbers)
            self.reported.update(numbers)
            self.world.note(f"undelivered {numbers}")

    async def write(self, task: int, count: int, mode: str) -> None:  # noqa: C901 - all kinds of data
        world, random = self.world, self.world.random
        db, rp = random.choice(["db0", "db0", "db1"]), random.choice(["", "", "r"])
        precision = random.choice(["s", "ms", "ns", "ns"])
        arguments: Any = {"precision": precision} if precision != "ns" or random.random() < 0.5 else {}
        if db != "db0" or random.random() < 0.3:
            arguments["db"] = db
        if rp:
            arguments["rp"] = rp
        written = [world.new_line(task, db, rp, precision) for _ in range(count)]
        numbers = [line.number for line, _ in written]
        encoded = [text for _, text in written]

        def items() -> Iterator[str]:
            yield from encoded
            if mode == "failing":
                raise Failure

        async def aitems() -> Any:
            for each in encoded:
                await self.loop.sleep(random.choice([0.0, 0.5]))
                yield each

        data: Any = {"list": encoded, "text": "\n".join(encoded), "async": aitems()}.get(mode, items())
        self.in_progress.update(numbers)
        taken = 0
        world.note(f"task {task} writes {encoded} {arguments}"[:300])
        try:
            receipt = await self.writer.write(data, **arguments)
            taken = receipt.lines
            assert taken == count
            self.receipts.append((receipt, numbers))
        except BaseException as error:
            self.is_stopped |= isinstance(error, Stopped)
            if self.is_stopped:
                raise
            notes = [note for note in getattr(error, "__notes__", ()) if "lines that were accepted before" in note]
            taken = int(notes[0].rpartition(" ")[2]) if notes else 0
            world.note(f"write {numbers} raised {type(error).__name__} {error}, accepted {taken}"[:200])
            if not isinstance(error, (BufferFullError, SpoolError, Failure)):
                raise
        finally:
            if not self.is_stopped:
                world.accepted += numbers[:taken]
                self.accepted_lines += taken
                world.not_accepted.update(numbers[taken:])
                self.in_progress.difference_update(numbers)

    async def use(self, task: int) -> None:
        random = self.world.random
        for _ in range(random.choice([1, 4, 12])):
            action = random.random()
            if action < 0.6:
                await self.write(
                    task, random.choice([1, 1, 2, 5]), random.choice(["list", "text", "items", "failing", "async"])
                )
            elif action < 0.8:
                await self.loop.sleep(random.choice([0.0, 0.1, 3.0]))
            else:
                await self.flush(task)

    async def flush(self, task: int) -> None:
        world = self.world
        before = [n for n in world.accepted if world.lines[n].point[2].endswith(f"k={task}")]
        try:
            await self.writer.flush(timeout=world.random.choice([None, 0.0, 5.0]))
        except InfluxDBError as error:
            world.note(f"flush of {task} raised {type(error).__name__}: {error}"[:200])
        else:
            done = world.server.ever_stored | set(world.rejected) | set(world.undelivered) | world.reported_by_killed
            done |= {n for lines in self.writer.undelivered for n in self.numbers_of(lines)}
            missing = [n for n in before if n not in done]
            if missing:
                world.problems.append(f"{self.loop.time}: flush of {task} returned, but {missing} are missing")

    async def main(self) -> None:
        random = self.world.random
        self.files.failing = 0.0
        self.files.ending = self.ending
        async with self.writer:
            self.found = self.writer.pending
            self.files.failing = self.failing
            tasks: list[Task] = [self.loop.start(self.use(task)) for task in range(random.choice([1, 2, 3]))]
            for task in tasks:
                if random.random() < 0.2:
                    await self.loop.sleep(random.choice([0.0, 0.2, 2.0]))
                    task.cancel()
            end = random.random()
            if end < 0.2:
                await self.loop.sleep(random.choice([0.0, 2.0]))
                for task in tasks:
                    task.cancel()
            self.loop.start(self.cancel_later(*tasks, seconds=60.0))
            for task in tasks:
                await self.loop.join(task)
            if end > 0.9:
                raise Failure

    async def deliver_rest(self) -> None:
        async with self.writer:
            self.found = self.writer.pending
            for _ in range(40):
                for kind in ("db0", "db1"):
                    number = len(self.world.lines)
                    self.world.lines.append(Line(number, "good", (kind, "", "good,k=last", number)))
                    await self.writer.write(f"good,k=last v={number}i {number}", db=kind)
                    self.world.accepted.append(number)
                    self.accepted_lines += 1
                await self.loop.sleep(5.0)
                if not self.writer.pending:
                    break

    def run(self) -> None:  # noqa: C901 - a list of checks
        world, random = self.world, self.world.random
        main = self.loop.start(self.deliver_rest() if self.is_last else self.main())
        if world.has_spool and random.random() < 0.2 and not self.is_last:
            self.loop.start(self.stop_later())
        if random.random() < 0.15 and not self.is_last:
            self.loop.start(self.cancel_later(main, seconds=random.uniform(0, 6)))
        try:
            self.loop.run(main)
        except Stopped:
            world.note("the process ends")
            world.files = dict(self.files.files)
            self.is_stopped = True
            self.loop.stop()
            world.unknown |= self.in_progress
            for counter in (world.rejected, world.undelivered):
                for number in self.reported:
                    counter.pop(number, None)
            world.reported_by_killed |= self.reported
            return
        self.is_stopped = True
        world.files = dict(self.files.files)
        leftover = [task for task in self.loop.tasks if "use" in getattr(task.coroutine, "__qualname__", "")]
        self.loop.stop()
        world.unknown |= self.in_progress
        if self.failing:  # marks that cannot be written have the effect of those that a killed process has not written
            world.reported_by_killed |= self.reported
        error = main.error
        world.note(f"exit: {error!r}"[:300])
        assert error is None or isinstance(error, (InfluxDBError, Failure, Cancelled)), "\n".join([
            *world.log,
            repr(error),
        ])
        self.add_undelivered(self.writer.undelivered)
        if isinstance(error, UndeliveredError):
            assert error.undelivered == self.writer.undelivered or list(error.undelivered) == self.writer.undelivered
        writer = self.writer
        total = self.found + self.accepted_lines
        known = writer.written + writer.rejected + writer.pending + self.reported_undelivered
        if not any(task for task in leftover):
            assert total == known, "\n".join([*world.log, f"{total} lines, but {writer!r}: {known}"])
        assert world.has_spool or not writer.pending
        assert writer.rejected == self.reported_rejected, "\n".join([*world.log, f"{writer.rejected} rejected"])
        for receipt, numbers in self.receipts:
            if receipt.done:
                stored = [n for n in numbers if n in world.server.ever_stored]
                rejected = [n for n in numbers if world.rejected[n]]
                undelivered = [n for n in numbers if world.undelivered[n]]
                assert set(stored) | set(rejected) | set(undelivered) == set(numbers)
                assert bool(receipt.error) == bool(undelivered)
                assert receipt.rejected_count == len(rejected), "\n".join([*world.log, f"{receipt} {rejected}"])

    async def stop_later(self) -> None:
        await self.loop.sleep(self.world.random.uniform(0, 6))
        raise Stopped

    async def cancel_later(self, *tasks: Task, seconds: float) -> None:
        await self.loop.sleep(seconds)
        for task in tasks:
            task.cancel()


def simulate(seed: int) -> World:
    world = World(seed)
    try:
        for _ in range(world.random.choice([1, 2, 4])):
            Life(world).run()
        Life(world, is_last=True).run()
    finally:
        world.loop.stop()
    world.expected_fates()
    return world


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_each_line_has_one_fate(seed: int) -> None:
    simulate(seed)
