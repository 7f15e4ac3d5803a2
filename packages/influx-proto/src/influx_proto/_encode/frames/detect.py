"""Which classes are tables, and what reads them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .model import Table
from .read_arrow import read_arrow
from .read_pandas import is_frame, read_pandas


def table_reader(kind: type) -> Callable[[Any, str], Table] | None:
    """Find what reads the tables of a class, if it is one of tables."""
    if is_frame(kind):
        return read_pandas
    name = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    # Columns have a stream as well; of polars' first versions, frames have none.
    if (hasattr(kind, "__arrow_c_stream__") and not name.endswith(".Series")) or name == "polars.DataFrame":
        return read_arrow
    return None


def is_table(kind: type) -> bool:
    """Whether iterating would give names of columns, or columns, and not rows."""
    library = kind.__module__.partition(".")[0]
    return library in {"pandas", "polars", "pyarrow"} or any(
        hasattr(kind, name) for name in ("__arrow_c_stream__", "__dataframe__")
    )
