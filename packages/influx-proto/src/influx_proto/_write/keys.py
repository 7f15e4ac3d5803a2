"""Keys for the arguments of `write`, so that a repeated call uses what an earlier one has prepared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Final, ParamSpec, TypeAlias

from .._bounded_cache import BoundedCache
from .operation import WriteOperation, WriteOptions, check_not_compressed

P = ParamSpec("P")

#: Arguments of `write`, if equal ones are encoded in the same way: None, bool, str, and collections of str.
Key: TypeAlias = tuple[object, ...]

#: How many options are kept.
_CAPACITY: Final = 64


def keeps_options(build: Callable[P, WriteOperation]) -> Callable[P, WriteOperation]:
    """Decorate a builder of writes so that it checks equal arguments once, and its writes share an encoder."""
    kept: BoundedCache[Key, WriteOptions] = BoundedCache(_CAPACITY)

    @wraps(build)
    def call(*args: P.args, **kwargs: P.kwargs) -> WriteOperation:
        key = key_of(args[1:], kwargs) if args else None
        options = None if key is None else kept.get(key)
        if options is not None:
            check_not_compressed(args[0])
            return WriteOperation(args[0], options)
        operation = build(*args, **kwargs)
        if key is not None:
            kept.remember(key, operation.options)
        return operation

    return call


def key_of(positional: tuple[object, ...], named: Mapping[str, object]) -> Key | None:
    """Return a key for the arguments of `write` except the data, or None if equal ones may be encoded differently."""
    if not positional and not named:
        return ()
    if not all(_is_plain(value) for value in positional):
        return None
    key: list[object] = [*positional]
    for name, value in named.items():
        if _is_plain(value):
            key.append((name, value))
        elif type(value) is dict and all(type(each) is type(tag) is str for tag, each in value.items()):
            key.append((name, dict, *value.items()))
        elif (type(value) is list or type(value) is tuple) and all(type(each) is str for each in value):
            key.append((name, list, *value))
        else:
            return None
    return tuple(key)


_PLAIN: Final = (str, bool, type(None))


def _is_plain(value: object) -> bool:
    """Return whether only equal values of the same class are equal to a value."""
    return type(value) in _PLAIN
