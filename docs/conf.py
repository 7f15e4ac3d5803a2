"""How Sphinx makes the site of these pages: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for the extension beside this file

project = "InfluxDB clients for Python"
extensions = ["myst_parser", "sphinx.ext.autodoc", "reference"]
nitpicky = True

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

myst_heading_anchors = 3

# One parameter a line, where there are many.
maximum_signature_line_length = 90
python_use_unqualified_type_names = True
python_display_short_literal_types = True
toc_object_entries_show_parents = "hide"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False

# What stands in single backquotes in a docstring is linked where it is a name of ours, and is code in any case.
nitpick_ignore_regex = [("py:obj", ".*")]
