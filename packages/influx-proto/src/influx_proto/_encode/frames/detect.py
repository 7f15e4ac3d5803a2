"""Which classes are tables, and what reads them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .model import Table
from .read_arrow import read_arrow
from .read_pandas import is_frame, read_pandas


def table_reader(kind: type) -> Callable[[Any, str], Table] | None:
    """Find what reads the tables of a class, if it is one of tables."""
    if is_frame(kind):
        return read_pandas
    columns = tuple(getattr(sys.modules.get(library), "Series", ()) for library in ("pandas", "polars"))
    # Columns have a stream as well.
    return read_arrow if hasattr(kind, "__arrow_c_stream__") and not issubclass(kind, columns) else None


def is_table(kind: type) -> bool:
    """Whether iterating would give names of columns, or columns, and not rows."""
    library = kind.__module__.partition(".")[0]
    return library in {"pandas", "polars", "pyarrow"} or any(
        hasattr(kind, name) for name in ("__arrow_c_stream__", "__dataframe__")
    )
