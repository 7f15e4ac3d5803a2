"""Public classes and functions: `__module__` is the public module that exports them."""

from __future__ import annotations

import io
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType

import influx_proto
import influx_proto.adapter
import pytest
from influx_proto import admin, influxql, ops

MODULES = [influx_proto, admin, ops, influxql, influx_proto.adapter]


def exported() -> Iterator[tuple[ModuleType, str]]:
    for module in MODULES:
        for name in module.__all__:
            if isinstance(getattr(module, name), type | FunctionType):
                yield module, name


def test_module_attribute_is_the_public_module() -> None:
    for module, name in exported():
        value = getattr(module, name)
        homes = {module.__name__, "influx_proto"} if name in influx_proto.__all__ else {module.__name__}
        assert value.__module__ in homes, name
        assert getattr(sys.modules[value.__module__], name) is value, name


def test_public_classes_and_functions_can_be_pickled() -> None:
    for module, name in exported():
        value = getattr(module, name)
        assert pickle.loads(pickle.dumps(value)) is value, name


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.__name__))
def test_help_shows_every_public_name(module: ModuleType) -> None:
    out = io.StringIO()
    pydoc.Helper(output=out).help(module)
    missing = [name for name in module.__all__ if name != "__version__" and name not in out.getvalue()]
    assert not missing


def test_error_has_its_public_module_and_can_be_pickled() -> None:
    error = influx_proto.WriteError(400, "partial write", {"Request-Id": "1"}, b"{}")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is influx_proto.WriteError
    assert (copy.status, copy.message, copy.headers, copy.body) == (400, "partial write", {"Request-Id": "1"}, b"{}")
    assert b"influx_proto._" not in pickle.dumps(error)


@pytest.mark.parametrize("name", ["AsyncBatchWriter", "AsyncReceipt", "BatchWriter", "Receipt", "Spool"])
def test_lazily_exported_classes_have_their_public_module_before_access(name: str) -> None:
    program = (
        "import sys, influx_proto._batch.async_writer, influx_proto._batch.writer\n"
        f"print({{m.{name}.__module__ for m in list(sys.modules.values()) if {name!r} in vars(m)}})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "{'influx_proto'}\n"
