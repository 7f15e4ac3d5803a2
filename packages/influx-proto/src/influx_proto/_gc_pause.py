"""Pause of the garbage collector while a large document is decoded.

Up to Python 3.11 the collector runs whenever 700 more objects have been created than freed. While a document of 10 000
rows is decoded, it would traverse the new objects 14 times, and all objects of the program at every 100th run, without
finding garbage. These runs take more than half of the decoding time. Python 3.12 and later defer the collector until
the C function returns; this module does the same for Python 3.11.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from operator import call
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")


def gc_paused(decode: Callable[[S], T], data: S) -> T:
    """Return `decode(data)`, with the garbage collector paused.

    Args:
        decode: a C function that runs no Python code. The check of the collector's state, the pause and the decoding
            are then a single call into C, so no other thread or signal handler can run in between and change the state.
        data: the argument of `decode`.
    """
    if sys.version_info >= (3, 12):
        return decode(data)
    is_enabled = filter(None, map(call, [gc.isenabled]))  # empty if the collector is disabled, so that no step runs
    steps = zip(is_enabled, map(call, [gc.disable]), map(decode, [data]), map(call, [gc.enable]), strict=False)
    try:
        results = next(steps, None)
    except Exception:  # raised by `decode`, so the collector was enabled before the call
        gc.enable()
        raise
    return decode(data) if results is None else results[2]
