"""Options of reading CSV, and the roles of the columns of a table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CSVOptions:
    """Options of reading a CSV file."""

    measurement: str | None
    tag_columns: Collection[str]
    #: None: the column `time`, or that of an annotated table, or an unnamed first column of dates.
    time_column: str | None
    types: Mapping[str, str]
    #: Texts of missing values; an empty cell is always one.
    null: frozenset[str]
    precision: str
    separator: str = ","
    decimal: str = "."


@dataclass(frozen=True)
class Table:
    """Roles of the columns of a table, by their indexes."""

    header: list[str]
    time: int
    #: None if all points have the measurement of the options.
    measurement: int | None
    tags: list[tuple[int, str]]
    #: The column `tags` of the `influx` client: `host=a,region=eu`.
    tag_set: int | None
    fields: list[tuple[int, str]]
    #: The column with the names of the fields whose values are in the column `value`.
    field_name: int | None = None
    value: int = 0
    #: Field types from annotations, by the index of the column.
    types: dict[int, str] = field(default_factory=dict)
    #: The values of empty cells, from annotations.
    defaults: list[str] = field(default_factory=list)
