"""Sphinx configuration of the documentation: `make docs`."""

from __future__ import annotations

import gc
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))

import examples_in_tabs
import influx_proto
import search_words
from docutils import nodes
from influx_proto.adapter import Client
from sphinx.addnodes import index, pending_xref
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.logging import getLogger

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

# Documents are trees of nodes that refer to their parents. With the default thresholds the garbage collector traverses
# them thousands of times, which takes a quarter of the CPU time of a build. These need 8 MB more memory, of 350.
gc.set_threshold(50_000, 20, 20)

project = "InfluxDB clients for Python"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_inline_tabs"]
nitpicky = True

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["remember_tab.js"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

myst_heading_anchors = 3

# One parameter per line in long signatures.
maximum_signature_line_length = 90
python_use_unqualified_type_names = True
python_display_short_literal_types = True
toc_object_entries_show_parents = "hide"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False
napoleon_use_rtype = False

# Text in single backquotes in a docstring is code, with a link if it is a public name.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", ".*")]

PUBLIC_MODULES = (
    "influx_proto.adapter",
    "influx_proto.ops",
    "influx_proto.influxql",
    "influx_proto.admin",
    "influx_proto",  # takes precedence, since it is documented there
)

#: The full name of each public name, with and without its module.
PUBLIC_NAMES = {
    short: f"{module}.{name}"
    for module in PUBLIC_MODULES
    for name in import_module(module).__all__
    for short in (name, f"{module.removeprefix('influx_proto.')}.{name}")
}

#: Methods of the clients, which have no entry in PUBLIC_NAMES.
OPERATIONS = {name for name in dir(Client) if not name.startswith("_") and callable(getattr(Client, name))}

#: Classes without a public constructor.
CREATED_BY_CLIENTS = {f"influx_proto.{name}" for name in ("BatchWriter", "AsyncBatchWriter", "Receipt", "AsyncReceipt")}


_BACKQUOTED = re.compile(r"(?<![`:\w])`([^`]+)`(?![`_])")
_NAME = re.compile(r"\w+(\.\w+)*")


def read_private_modules() -> None:
    """Pass the comments on attributes to autodoc.

    It reads them from the source of a class's `__module__`, and public classes name the module that exports them.
    """
    folder = Path(influx_proto.__file__).parent
    paths = [*folder.rglob("_*/*.py"), *folder.glob("_[a-z]*.py")]
    names = sorted(".".join(("influx_proto", *path.relative_to(folder).with_suffix("").parts)) for path in paths)
    private = [ModuleAnalyzer.for_module(name) for name in names if not name.endswith("__init__")]
    for analyzer in private:
        analyzer.analyze()
    for name in PUBLIC_MODULES:
        public = ModuleAnalyzer.for_module(name)
        public.analyze()
        exported = {("", member) for member in import_module(name).__all__}
        for analyzer in private:
            public.attr_docs |= {key: text for key, text in analyzer.attr_docs.items() if key[0] or key in exported}
            public.annotations |= {key: text for key, text in analyzer.annotations.items() if key[0]}
            public.tagorder |= analyzer.tagorder


def prepare_docstring(_app: Sphinx, what: str, _name: str, _object: object, _options: Any, lines: list[str]) -> None:
    """Prepare a docstring for napoleon and docutils."""
    if lines and lines[0].startswith("Alias for field number"):  # Python's docstring of a field of a named tuple
        lines.clear()
        return
    # Code that is not a name is a literal: the default role would interpret backslashes and a leading dot.
    lines[:] = _BACKQUOTED.sub(
        lambda code: code[0] if _NAME.fullmatch(code[1]) else f"`{code[0]}`", "\n".join(lines)
    ).split("\n")
    if what in {"attribute", "data", "property"}:
        lines.insert(0, "\\")  # renders as nothing; napoleon reads text before a colon in the first line as the type


def omit_constructor(
    _app: Sphinx, _what: str, name: str, _object: object, _options: Any, _signature: str, _returns: str
) -> tuple[str, None] | None:
    """Omit the signature of a class without a public constructor."""
    return ("", None) if name in CREATED_BY_CLIENTS else None


def link_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Element
) -> nodes.Element | None:
    """Link a name that a docstring or an annotation uses without its public module; show other types without a link."""
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"]
    name, _, attribute = target.partition(".")
    public = PUBLIC_NAMES.get(target) or PUBLIC_NAMES.get(
        target.rpartition(".")[2] if target.startswith("influx_") else ""
    )
    if public is None and attribute and name in PUBLIC_NAMES:
        public = f"{PUBLIC_NAMES[name]}.{attribute}"
    if public is not None and public != target:
        found = env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, content)
        if found is not None:
            return found
    return content if "refwarn" not in node else None


def put_examples_in_tabs(_app: Sphinx, docname: str, content: list[str]) -> None:
    """Show the examples of a guide in tabs for sync code, asyncio and trio."""
    if not docname.startswith("api/"):
        content[0] = examples_in_tabs.in_tabs(content[0])


def find_public_name(code: str) -> str | None:
    """Return the full name of the public name that inline code consists of or calls; None if it is something else."""
    name = code.partition("(")[0]
    if name in PUBLIC_NAMES and not (name.islower() and "_" not in name):
        return PUBLIC_NAMES[name]
    operation = name.removeprefix("client.")
    if operation in OPERATIONS and ("_" in operation or name != operation):
        return f"influx_requests.InfluxDBClient.{operation}"
    return None


def link_names_in_guides(app: Sphinx, document: nodes.document) -> None:
    """Link inline code in the guides to the reference: the first occurrence of each name in a section or table cell.

    Bare words such as `write` are left alone, since they may be a method of a client, a writer or a file.
    """
    if app.env.docname.startswith("api/"):
        return
    linked: set[tuple[int, str]] = set()
    for code in list(document.findall(nodes.literal)):
        target = find_public_name(code.astext())
        scope = code.parent
        while not isinstance(scope, nodes.section | nodes.document | nodes.entry):
            if isinstance(scope, nodes.reference | nodes.title | pending_xref):
                target = None
            scope = scope.parent
        if target is not None and (id(scope), target) not in linked:
            linked.add((id(scope), target))
            options = {"refdomain": "py", "reftype": "obj", "refexplicit": True, "refdoc": app.env.docname}
            link = pending_xref("", reftarget=target, **options)
            code.replace_self(link)
            link += code


def add_search_words(app: Sphinx, document: nodes.document) -> None:
    """Add the words of `search_words` to the index of their sections."""
    sections = {name: section for section in document.findall(nodes.section) for name in section["ids"]}
    first = next(iter(sections.values()), None)
    for target, words in search_words.WORDS.items():
        page, _, name = target.partition("#")
        if page != app.env.docname:
            continue
        section = sections.get(name) if name else first
        if section is None:
            getLogger(__name__).warning("search_words: %s does not exist", target)
            continue
        # "main" ranks an entry above the text of pages, as an exclamation mark in the index directive does
        entries = [("single", word, section["ids"][0], "main", None) for word in words]
        section.insert(1, index(entries=entries))


def mark_before(_app: Sphinx, document: nodes.document) -> None:
    """Set a class on the programs below a bold "Before" or "After" on the migration pages, for the style sheet."""
    for block in document.findall(nodes.literal_block):
        index = block.parent.index(block)
        above = block.parent[index - 1] if index else None
        if isinstance(above, nodes.paragraph) and above.astext().startswith(("Before", "After")):
            block["classes"].append(above.astext().split()[0].rstrip(",:").lower())


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    read_private_modules()
    app.connect("autodoc-process-docstring", prepare_docstring, priority=400)  # before napoleon
    app.connect("autodoc-process-signature", omit_constructor)
    app.connect("missing-reference", link_public_name)
    app.connect("source-read", put_examples_in_tabs)
    app.connect("doctree-read", mark_before)
    app.connect("doctree-read", add_search_words)
    app.connect("doctree-read", link_names_in_guides)
