"""Which classes are tables, and what reads them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .model import Table
from .read_arrow import read_arrow
from .read_pandas import is_frame, is_series, read_pandas, read_series


def table_reader(kind: type) -> Callable[[Any, str, str | None], Table] | None:
    """Return the function that reads the tables of a class, or None if it is not a class of tables.

    The function takes a table, the precision of times that are integers, and the name of the column with the times or
    None.
    """
    if is_frame(kind):
        return read_pandas
    if is_series(kind):
        return read_series
    # A Series of polars has a stream as well, and no times.
    is_column = issubclass(kind, getattr(sys.modules.get("polars"), "Series", ()))
    return read_arrow if hasattr(kind, "__arrow_c_stream__") and not is_column else None


def is_table(kind: type) -> bool:
    """Whether iterating would give names of columns, or columns, and not rows."""
    library = kind.__module__.partition(".")[0]
    return library in {"pandas", "polars", "pyarrow"} or any(
        hasattr(kind, name) for name in ("__arrow_c_stream__", "__dataframe__")
    )
