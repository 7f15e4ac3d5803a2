"""KeyboardInterrupt and cancellation at each point at which they can occur, one point after the other."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import signal
import sys
import threading
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import FrameType
from typing import Any

import trio
import trio.abc

#: C functions that wait: a signal handler may run within, and they raise what it raises.
WAITING = {"__enter__", "acquire", "get", "sleep", "select", "recv_into", "recv", "send", "connect"}

#: Code that is not interrupted: it could keep the lock of a module, for which the next import of the module would wait.
_IMPORTLIB = "<frozen importlib"


def interrupt(number: int, function: Callable[[], object], *, without: tuple[str, ...] = ()) -> bool:
    """Call a function of a test, and raise KeyboardInterrupt at a point of the code that it calls in this thread.

    CPython runs signal handlers when a function begins, after a call has returned, and within C functions that wait.
    None runs between the return of a call and the store of its result, between `__enter__` of a lock and the block of
    its `with` statement, or between the end of a `try` block and the first call in its `finally` block. Only CPython
    3.14 may run one after `__enter__` of a lock, which then stays held; such points are omitted.

    Args:
        number: which point, counted from 1.
        function: catches the KeyboardInterrupt. The code of its file is not interrupted.
        without: parts of paths of files that are not interrupted.

    Returns:
        Whether there are so many points.
    """
    own = inspect.getfile(function)
    left = number

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal left
        code = frame.f_code
        if event == "c_exception" or (event == "c_call" and argument.__name__ not in WAITING):
            return
        if event == "return" and (code.co_flags & inspect.CO_GENERATOR or code.co_name == "__enter__"):
            return  # handlers do not run in between `next` or a `with` statement and the frame that it continues
        if event == "c_return" and argument.__name__ == "__enter__":
            return
        if code.co_filename in {own, __file__} or any(part in code.co_filename for part in (*without, _IMPORTLIB)):
            return
        left -= 1
        if not left:
            sys.setprofile(None)
            name = getattr(argument, "__name__", code.co_name)
            raise KeyboardInterrupt(f"{event} of {name} in {code.co_filename}:{frame.f_lineno}")

    # One in a finalizer or the callback of a weak reference is lost, as all exceptions there.
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
        sys.unraisablehook = unraisable
    return left <= 0


def call_within(number: int, function: Callable[[], object], call: Callable[[], object], *, within: str) -> bool:
    """Call a function in a thread, and once another one within it, as a signal handler or the garbage collector does.

    Args:
        number: at which point, counted from 1: each call and return in files whose paths contain `within`, in any new
            thread.
        function: the function. An `AssertionError` is raised if it does not return within 10 seconds.
        call: the other function, which must not raise.
        within: a part of the paths of files.

    Returns:
        Whether there are so many points.
    """
    left = number

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        if event == "c_call" or within not in frame.f_code.co_filename:
            return
        left -= 1
        if left == 0:
            call()

    thread = threading.Thread(target=function, daemon=True)
    threading.setprofile(profile)
    try:
        thread.start()
        thread.join(10)
    finally:
        threading.setprofile(None)
    assert not thread.is_alive()
    return left <= 0


def interrupt_soon() -> None:
    """Send this process SIGINT in 0.2 seconds."""
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()


async def cancel_asyncio(number: int, function: Callable[[], Coroutine[Any, Any, object]]) -> bool:
    """Await a coroutine function, and cancel it at a point where it waits; return whether there are so many points."""
    left = number

    @types.coroutine
    def drive(coroutine: Coroutine[Any, Any, object], task: asyncio.Task[object]) -> Generator[Any, None, None]:
        nonlocal left
        proceed: Callable[[], Any] = functools.partial(coroutine.send, None)
        while True:
            try:
                waiting = proceed()
            except StopIteration:
                return
            left -= 1
            if not left:
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield waiting
                proceed = functools.partial(coroutine.send, None)
            except BaseException as error:  # noqa: BLE001 - it is raised in the coroutine
                proceed = functools.partial(coroutine.throw, error)

    async def run() -> None:
        task = asyncio.current_task()
        assert task is not None
        await drive(function(), task)

    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.create_task(run())
    return left <= 0


async def cancel_trio(number: int, function: Callable[[], Awaitable[object]]) -> bool:
    """Do the same with trio."""
    own = trio.lowlevel.current_task()
    left = number

    class Canceller(trio.abc.Instrument):
        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal left
            if task is own:
                left -= 1
                if not left:
                    scope.cancel()

    canceller = Canceller()
    with trio.CancelScope() as scope:
        trio.lowlevel.add_instrument(canceller)
        try:
            await function()
        finally:
            trio.lowlevel.remove_instrument(canceller)
    return left <= 0


async def interrupt_trio(number: int, function: Callable[[], Awaitable[object]], *, within: tuple[str, ...]) -> bool:
    """Await a function of a test in the main task, and raise KeyboardInterrupt at a point where trio may raise it.

    These are the points of `interrupt` outside of protected code, in files whose paths contain one of `within`.
    """
    left = number

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        code = frame.f_code
        if event not in {"call", "return", "c_return"} or (event != "c_return" and code.co_flags & _SUSPENDABLE):
            return  # also while a task resumes: the code of trio that is suspended in it would be closed
        if not any(part in code.co_filename for part in within):
            return
        if trio.lowlevel.currently_ki_protected():
            return
        left -= 1
        if not left:
            sys.setprofile(None)
            raise KeyboardInterrupt(f"{event} of {code.co_name} in {code.co_filename}:{frame.f_lineno}")

    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None
    sys.setprofile(profile)
    try:
        await function()
    finally:
        sys.setprofile(None)
        sys.unraisablehook = unraisable
    return left <= 0


@contextlib.contextmanager
def interrupt_asyncio(number: int, within: tuple[str, ...]) -> Generator[list[str]]:
    """Raise KeyboardInterrupt at a point in files whose paths contain one of `within`, counted from 1.

    This is what asyncio does after a second SIGINT. The yielded list has a description of the point if it is reached.
    """
    left = number
    reached: list[str] = []

    def profile(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        code = frame.f_code
        if event not in {"call", "return", "c_return"} or (event != "c_return" and code.co_flags & _SUSPENDABLE):
            return
        if any(part in code.co_filename for part in within):
            left -= 1
            if not left:
                sys.setprofile(None)
                reached.append(f"{event} of {code.co_name} in {code.co_filename}:{frame.f_lineno}")
                raise KeyboardInterrupt

    sys.setprofile(profile)
    try:
        yield reached
    finally:
        sys.setprofile(None)


async def signal_trio(number: int, function: Callable[[], Awaitable[object]]) -> bool:
    """Await a function of a test in the main task, and send SIGINT after a step of any task, counted from 1.

    Protected code raises KeyboardInterrupt where the main task waits. So these points differ in what the other tasks
    have done, and all others are equivalent to one of them.
    """
    left = number

    class Interrupter(trio.abc.Instrument):
        def after_task_step(self, _: trio.lowlevel.Task) -> None:
            nonlocal left
            left -= 1
            if not left:
                signal.raise_signal(signal.SIGINT)

    interrupter = Interrupter()
    trio.lowlevel.add_instrument(interrupter)
    try:
        await function()
    finally:
        trio.lowlevel.remove_instrument(interrupter)
    with contextlib.suppress(KeyboardInterrupt):
        await trio.lowlevel.checkpoint()  # the main task may not have waited since
    return left <= 0


#: Flags of functions whose frames return each time they suspend.
_SUSPENDABLE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
