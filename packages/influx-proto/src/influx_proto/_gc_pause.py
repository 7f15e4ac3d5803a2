"""Decoding large documents without the garbage collector looking through what is not finished yet.

Up to Python 3.11 the collector runs whenever 700 objects more have been made than unmade. A document of 10 000 rows
would be looked through 14 times while it is decoded, in one call and with nothing in it that could be garbage, and all
that a program keeps at every 100th time: more than half the time that decoding takes. From Python 3.12 on the collector
waits until such a call is over. Here it is made to wait up to 3.11 as well.
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
    """Give `decode(data)`; the garbage collector waits for it.

    Args:
        decode: a function in C that runs no Python. So nobody can see that the collector is off, nor switch it on or
            off meanwhile: from the look at whether it is on until it is on again there is no step of Python for another
            thread or a signal to come between.
        data: what to decode.
    """
    if sys.version_info >= (3, 12):
        return decode(data)
    is_on = filter(None, map(call, [gc.isenabled]))  # is empty where it is not, which ends the steps
    steps = zip(is_on, map(call, [gc.disable]), map(decode, [data]), map(call, [gc.enable]), strict=False)
    try:
        done = next(steps, None)
    except Exception:  # of `decode`, so the collector was on
        gc.enable()
        raise
    return decode(data) if done is None else done[2]
