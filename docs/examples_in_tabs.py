"""Examples of the docs in three forms: the sync source, and the code for asyncio and trio that follows from it.

The pages contain sync examples. `conf.py` shows each example that uses a client in three tabs, and the tests run all
three. The async forms have `await` at the top level, as in `python -m asyncio`, `python -m trio` and notebooks.

The rules, applied to the syntax tree and edited in the source, so that layout and comments stay:

- `InfluxDBClient` of influx_requests becomes `AsyncInfluxDBClient` of influx_aiohttp or influx_trio;
- `with` becomes `async with` for a client, a stream and a batch writer, and `for` over a stream `async for`;
- calls of coroutine methods get `await`, with parentheses where an attribute or item of the result follows;
- a stream that is an argument of a function becomes a list of its items;
- `close` of a client becomes `aclose`;
- `receipt.wait()` becomes `await receipt`.

A client in a plain function raises `ValueError`: write such an example by hand, once in each tab.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Literal

from influx_proto import AsyncBatchWriter
from influx_proto.adapter import AsyncClient

Form = Literal["Sync", "asyncio", "trio"]
FORMS: tuple[Form, ...] = ("Sync", "asyncio", "trio")
PACKAGES = {"asyncio": "influx_aiohttp", "trio": "influx_trio"}

#: A block of code, with the label of the tab around it if it was written by hand.
BLOCK = re.compile(r"^(?:````\{tab\} (\w+)\n)?```python\n(.*?)^```\n(?:````\n)?", re.DOTALL | re.MULTILINE)
STREAMS = {"query_points", "query_chunks", "query_dataframe_chunks"}
CLIENT_METHODS = {
    name for name in dir(AsyncClient) if inspect.iscoroutinefunction(getattr(AsyncClient, name, None))
} | {"close"}
WRITER_METHODS = {
    name for name in dir(AsyncBatchWriter) if inspect.iscoroutinefunction(getattr(AsyncBatchWriter, name))
}


class Example:
    """Converts one example; `kinds` has the clients, streams and writers of the examples before it on its page."""

    def __init__(self, source: str, package: str, kinds: dict[str, str]) -> None:
        self.source = source
        self.package = package
        self.kinds = kinds
        self._starts = [0]
        for line in source.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        #: Replacements as (start, end, text), in bytes; an insertion has an empty range.
        self._edits: list[tuple[int, int, str]] = []

    def converted(self) -> str:
        """Return the async code."""
        self._visit(ast.parse(self.source), None, in_function=False)
        data = self.source.encode()
        # From the end, so that positions stay valid. Of two insertions at one position the outer one was made first.
        edits = sorted(enumerate(self._edits), key=lambda edit: (edit[1][0], edit[0]), reverse=True)
        for _, (start, end, text) in edits:
            data = data[:start] + text.encode() + data[end:]
        return data.decode()

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)

    def _insert(self, at: int, text: str) -> None:
        self._edits.append((at, at, text))

    def _kind(self, node: ast.expr) -> str | None:
        """Return "client", "stream", "writer" or "receipt" if the expression is one."""
        match node:
            case ast.Name(id=name):
                return self.kinds.get(name)
            case ast.Call(func=ast.Name(id="InfluxDBClient")):
                return "client"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="InfluxDBClient"), attr="from_url" | "from_env")):
                return "client"
            case ast.Call(func=ast.Attribute(value=owner, attr=name)) if self._kind(owner) == "client":
                return "stream" if name in STREAMS else "writer" if name == "batch_writer" else None
            case ast.Call(func=ast.Attribute(value=owner, attr="write")) if self._kind(owner) == "writer":
                return "receipt"
        return None

    def _visit(self, node: ast.AST, parent: ast.AST | None, *, in_function: bool) -> None:
        if self._makes_async(node):
            if in_function:
                line = getattr(node, "lineno", 0)
                raise ValueError(f"line {line} uses a client in a plain function; write this example by hand, in tabs")
            self._make_async(node, nested=isinstance(parent, ast.Attribute | ast.Subscript))
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if kind := self._kind(value):
                self.kinds[name] = kind
            case ast.Name(id="InfluxDBClient") if "InfluxDBClient" in self.kinds:
                self._insert(self._start(node), "Async")
            case ast.ImportFrom(module="influx_requests"):
                self.kinds["InfluxDBClient"] = "class"
                self._edits.append((
                    self._start(node),
                    self._end(node),
                    f"from {self.package} import AsyncInfluxDBClient",
                ))
            case ast.Call(args=[*arguments]):
                for argument in arguments:
                    if isinstance(argument, ast.Name) and self._kind(argument) == "stream":
                        self._insert(self._start(argument), "[item async for item in ")
                        self._insert(self._end(argument), "]")
        in_function = in_function or isinstance(node, ast.FunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            self._visit(child, node, in_function=in_function)

    def _makes_async(self, node: ast.AST) -> bool:
        match node:
            case ast.With(items=items):
                return any(self._kind(item.context_expr) for item in items)
            case ast.For(iter=iterable):
                return isinstance(iterable, ast.Name) and self._kind(iterable) == "stream"
            case ast.Call(func=ast.Attribute(value=owner, attr=name)):
                kind = self._kind(owner)
                methods = {"client": CLIENT_METHODS, "writer": WRITER_METHODS, "receipt": {"wait"}}
                return kind is not None and name in methods.get(kind, ())
        return False

    def _make_async(self, node: ast.AST, *, nested: bool) -> None:
        match node:
            case ast.With(items=items):
                for item in items:
                    if isinstance(item.optional_vars, ast.Name) and (kind := self._kind(item.context_expr)):
                        self.kinds[item.optional_vars.id] = kind
                self._insert(self._start(node), "async ")
            case ast.For():
                self._insert(self._start(node), "async ")
            case ast.Call(func=ast.Attribute(attr=name) as function):
                self._insert(self._start(node), "(await " if nested else "await ")
                if nested:
                    self._insert(self._end(node), ")")
                if name == "close":
                    self._insert(self._end(function) - len(name), "a")
                if name == "wait":
                    self._edits.append((self._end(function.value), self._end(node), ""))


def examples(page: str) -> Iterator[tuple[re.Match[str], dict[Form, str]]]:
    """Yield each block of a page with its code in each form, one if all are the same."""
    kinds: dict[str, dict[str, str]] = {"asyncio": {}, "trio": {}}
    for match in BLOCK.finditer(page):
        label, source = match.groups()
        if label in FORMS:  # written by hand
            yield match, {label: source}
            continue
        forms: dict[Form, str] = {"Sync": source}
        for form in FORMS[1:]:
            forms[form] = Example(source, PACKAGES[form], kinds[form]).converted()
        yield match, forms


def in_tabs(page: str) -> str:
    """Return the text of a page with its examples in tabs."""
    parts, end = [], 0
    for match, forms in examples(page):
        parts.append(page[end : match.start()])
        end = match.end()
        if match[1] or len(set(forms.values())) == 1:
            parts.append(match[0])
        else:
            parts += (f"````{{tab}} {form}\n```python\n{code}```\n````\n" for form, code in forms.items())
    return "".join([*parts, page[end:]])


def code_of(page: str, form: Form) -> list[str]:
    """Return the code of a page that a reader of one form sees."""
    return [forms[form] for _, forms in examples(page) if form in forms]
