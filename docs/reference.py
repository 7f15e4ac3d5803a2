"""A Sphinx extension: the API reference out of the docstrings, as they are written here.

- `.. operations::` documents operations of a client, as they are on an object of it. They are bound to the clients by
  descriptors, so on the class there is only the builder, which returns something else.
- Single backquotes in docstrings are code, and links where they hold a public name.
- Types are found by their public names, whichever module they are defined in.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import influx_proto
from docutils import nodes
from influx_proto.adapter import Client
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PUBLIC_MODULES = (
    "influx_proto.adapter",
    "influx_proto.ops",
    "influx_proto.influxql",
    "influx_proto.admin",
    "influx_proto",  # the last wins: what it has is documented there
)

CLIENTS = ("influx_requests.InfluxDBClient", "influx_aiohttp.AsyncInfluxDBClient", "influx_trio.AsyncInfluxDBClient")

#: Made by a client, and not by its users.
MADE_BY_CLIENTS = {"influx_proto.BatchWriter", "influx_proto.AsyncBatchWriter", "influx_proto.Receipt"}

STYLE = Config(napoleon_use_rtype=False)

_BACKQUOTED = re.compile(r"(?<![`:\w])`([^`]+)`(?![`_])")


def public_names() -> dict[str, str]:
    """Give the full public name for each name by which the docstrings and annotations know something."""
    found: dict[str, str] = {}
    for module in PUBLIC_MODULES:
        for name in import_module(module).__all__:
            found[name] = f"{module}.{name}"
            found[f"{module.removeprefix('influx_proto.')}.{name}"] = f"{module}.{name}"
    return found


PUBLIC = public_names()


def documented(code: str, owner: str) -> str | None:
    """Give what a name stands for in what `owner` says; None where it is no name of ours."""
    if owner.startswith(CLIENTS) and hasattr(Client, code):
        return ".".join([*owner.split(".")[:2], code])
    name, _, attribute = code.partition(".")
    if code in PUBLIC:
        module = PUBLIC[code].rpartition(".")[0]
        # A bare `write` is the operation only where operations are spoken of.
        return PUBLIC[code] if attribute or module == "influx_proto" or owner.startswith(module) else None
    return f"{PUBLIC[name]}.{attribute}" if attribute.isidentifier() and name in PUBLIC else None


def with_roles(text: str, owner: str) -> str:
    """Make code, or links to what is documented, of what stands in single backquotes in what `owner` says."""

    def role(found: re.Match[str]) -> str:
        target = documented(found[1], owner)
        return f"``{found[1]}``" if target is None else f":py:obj:`{found[1]} <{target}>`"

    return _BACKQUOTED.sub(role, text)


def restructured(docstring: str, what: str, name: str) -> list[str]:
    """Give a docstring, in Google's style, in reStructuredText."""
    # Of attributes, what stands before a colon would be taken for their type.
    kind = "method" if what in {"attribute", "data", "property"} else what
    return GoogleDocstring(with_roles(docstring, name), STYLE, what=kind, name=name).lines()


def process_docstring(_app: Sphinx, what: str, name: str, _object: object, _options: Any, lines: list[str]) -> None:
    """Do so with what autodoc reads, and drop what Python says of the fields of named tuples."""
    docstring = "\n".join(lines)
    lines[:] = [] if docstring.startswith("Alias for field number") else restructured(docstring, what, name)


def process_signature(
    _app: Sphinx, _what: str, name: str, _object: object, _options: Any, _signature: str, _returns: str
) -> tuple[str, None] | None:
    """Show no arguments of what nobody calls."""
    return ("", None) if name in MADE_BY_CLIENTS else None


class ClientDirective(SphinxDirective):
    """`.. client:: influx_requests.InfluxDBClient`: whose operations those on this page are."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Remember it."""
        self.env.temp_data["client"] = self.arguments[0]
        return []


class OperationsDirective(SphinxDirective):
    """`.. operations:: ping write query`: these operations of the client of this page."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Document each as a method."""
        path = self.env.temp_data["client"]
        module, _, class_name = path.rpartition(".")
        client = getattr(import_module(module), class_name)()
        lines = [line for name in self.arguments[0].split() for line in self.described(path, name, client)]
        return self.parse_text_to_nodes("\n".join(lines))

    def described(self, path: str, name: str, client: object) -> Iterator[str]:
        """Write the directive for one operation."""
        operation = getattr(client, name)
        signature = stringify_signature(inspect.signature(operation), unqualified_typehints=True)
        yield f".. py:method:: {path}.{name}{signature}"
        if inspect.iscoroutinefunction(operation):
            yield "   :async:"
        yield ""
        for line in restructured(inspect.getdoc(operation) or "", "method", f"{path}.{name}"):
            yield f"   {line}"
        yield ""


def resolve(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """Find a type of ours by its public name; a type in a signature that has none is shown without a link."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    name = target.rpartition(".")[2]
    public = PUBLIC.get(name)
    if public not in {None, target} and (target == name or target.startswith("influx_")):
        found = env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, content)
        if found is not None:
            return found
    return content if "refwarn" not in node else None  # which roles that somebody wrote have


def mark_before(_app: Sphinx, document: nodes.document) -> None:
    """Give the programs for other clients, which stand below a bold "Before", a look of their own."""
    for block in document.findall(nodes.literal_block):
        at = block.parent.index(block)
        above = block.parent[at - 1] if at else None
        if isinstance(above, nodes.paragraph) and above.astext().startswith(("Before", "After")):
            block["classes"].append(above.astext().split()[0].rstrip(",:").lower())


def read_private_modules() -> None:
    """Let autodoc find the comments on attributes.

    It looks for them in the source of a class's `__module__`, and public classes name the module that exports them.
    """
    folder = Path(influx_proto.__file__).parent
    private = [
        ".".join(("influx_proto", *path.relative_to(folder).with_suffix("").parts)) for path in folder.rglob("_*/*.py")
    ]
    private += [f"influx_proto.{path.stem}" for path in folder.glob("_[a-z]*.py")]
    found = [ModuleAnalyzer.for_module(name) for name in sorted(private) if not name.endswith("__init__")]
    for analyzer in found:
        analyzer.analyze()
    for name in PUBLIC_MODULES:
        public = ModuleAnalyzer.for_module(name)
        public.analyze()
        exported = {("", member) for member in import_module(name).__all__}
        for analyzer in found:
            public.attr_docs |= {key: text for key, text in analyzer.attr_docs.items() if key[0] or key in exported}
            public.annotations |= {key: text for key, text in analyzer.annotations.items() if key[0]}
            public.tagorder |= analyzer.tagorder


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    read_private_modules()
    app.add_directive("client", ClientDirective)
    app.add_directive("operations", OperationsDirective)
    app.connect("autodoc-process-docstring", process_docstring)
    app.connect("autodoc-process-signature", process_signature)
    app.connect("missing-reference", resolve)
    app.connect("doctree-read", mark_before)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
