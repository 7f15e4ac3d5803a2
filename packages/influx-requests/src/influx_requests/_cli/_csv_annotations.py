"""Annotated CSV, which Flux queries return and `influx write` reads: `#datatype`, `#group` and `#default`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ._console import CommandError
from ._csv_roles import CSVOptions, Table

ANNOTATIONS: Final = ("#datatype", "#group", "#default")

#: Types of annotated CSV that are field types.
_DATATYPES: Final = {
    "long": "integer",
    "unsignedLong": "integer",
    "double": "float",
    "boolean": "boolean",
    "string": "string",
    "duration": "string",
}
#: Columns of Flux results that are not data.
_NOT_DATA: Final = {"", "result", "table", "_start", "_stop"}


def annotated_table(
    place: str, header: list[str], row: list[str], annotations: Mapping[str, list[str]], options: CSVOptions
) -> Table:
    """Return the table of a header with annotations.

    Args:
        place: the file and the line, for messages.
        header: the names of the columns.
        row: the first row, or an empty list.
        annotations: the values of the annotations for each column.
        options: the options of reading CSV.

    Raises:
        CommandError: the annotations are incomplete, or the table is an error response.
    """
    if "error" in header and "reference" in header:
        reason = dict(zip(header, row, strict=False)).get("error", "")
        raise CommandError(f"{place}: the file is the error response of a query: {reason}")
    datatypes = annotations.get("#datatype", [])
    if len(datatypes) != len(header):
        raise CommandError(f"{place}: the header has {len(header)} columns, but #datatype has {len(datatypes)}")
    groups = annotations.get("#group", [])
    has_values = "_field" in header and "_value" in header
    roles: dict[str, list[int]] = {}
    for index, (name, datatype) in enumerate(zip(header, datatypes, strict=True)):
        is_tag = name in options.tag_columns or has_values or groups[index : index + 1] == ["true"]
        roles.setdefault(_role(name, datatype, is_tag=is_tag), []).append(index)
    is_constant = options.measurement is not None
    for role in ["time"] if is_constant else ["time", "measurement"]:
        if len(roles.get(role, ())) != 1:
            raise CommandError(f"{place}: the annotated table needs one column of the type {role}, or _{role}")
    defaults = annotations.get("#default", [])
    return Table(
        header,
        roles["time"][0],
        None if is_constant else roles["measurement"][0],
        tags=[(index, header[index]) for index in roles.get("tag", ())],
        tag_set=None,
        fields=[(index, header[index]) for index in roles.get("field", ())],
        field_name=header.index("_field") if has_values else None,
        value=header.index("_value") if has_values else 0,
        types={index: _DATATYPES[datatype] for index, datatype in enumerate(datatypes) if datatype in _DATATYPES},
        defaults=defaults if any(defaults) else [],
    )


def _role(name: str, datatype: str, *, is_tag: bool) -> str:
    if datatype == "measurement" or name == "_measurement":
        return "measurement"
    if name in _NOT_DATA or name == "_field" or (name == "_value" and is_tag) or datatype.startswith("ignore"):
        return "other"
    if datatype == "time" or datatype.startswith("dateTime"):
        return "time"
    return "tag" if is_tag or datatype == "tag" else "field"
