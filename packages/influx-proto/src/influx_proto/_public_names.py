"""The public names of classes and functions that are defined in private modules."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import TypeVar

ClassT = TypeVar("ClassT", bound=type)

_PRIVATE = f"{__package__}._"


def set_public_module(module: str, names: dict[str, object]) -> None:
    """Set `__module__` of the exported classes and functions to the public module that exports them.

    Tracebacks, signatures and pickles then name `influx_proto.WriteError`, wherever `WriteError` is defined. A name
    that several public modules export keeps the first one.

    Args:
        module: `__name__` of the public module.
        names: `globals()` of the public module, with `__all__`.
    """
    exported = names["__all__"]
    assert isinstance(exported, list)  # noqa: S101 - every public module defines `__all__` as a list
    for name in exported:
        value = names.get(name)  # None for a name that the module imports lazily
        if isinstance(value, type | FunctionType) and value.__module__.startswith(_PRIVATE):
            value.__module__ = module


def exported_by(module: str) -> Callable[[ClassT], ClassT]:
    """Return a decorator that sets `__module__` of a class to the public module that exports it.

    It is for classes in modules that may be imported before the public module, which is imported on first use.
    """

    def decorate(cls: ClassT) -> ClassT:
        cls.__module__ = module
        return cls

    return decorate
