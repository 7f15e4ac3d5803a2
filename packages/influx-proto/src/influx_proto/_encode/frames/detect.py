"""Detection of table classes and their reader functions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .model import Table
from .read_arrow import read_arrow
from .read_pandas import is_frame, is_series, read_pandas, read_series


def table_reader(cls: type) -> Callable[[Any, str, str | None], Table] | None:
    """Return the function that reads tables of a class, or None if it is not a table class.

    The arguments of the function are a table, the precision of integer timestamps, and the name of the time column or
    None.
    """
    if is_frame(cls):
        return read_pandas
    if is_series(cls):
        return read_series
    # A polars Series has an Arrow stream as well, but no timestamps.
    is_column = issubclass(cls, getattr(sys.modules.get("polars"), "Series", ()))
    return read_arrow if hasattr(cls, "__arrow_c_stream__") and not is_column else None


def is_table(cls: type) -> bool:
    """Return whether a class is a table, whose iteration yields columns or their names instead of rows."""
    library = cls.__module__.partition(".")[0]
    return library in {"pandas", "polars", "pyarrow"} or any(
        hasattr(cls, name) for name in ("__arrow_c_stream__", "__dataframe__")
    )
