"""Options for the encoding of field values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias, get_args

from .._checks import check_bool, check_choice, check_mapping

#: InfluxDB's field types.
FieldType: TypeAlias = Literal["float", "integer", "unsigned", "string", "boolean"]

#: Encoding of the object columns of a DataFrame: each cell as `str(cell)`, or according to its class.
ObjectColumns: TypeAlias = Literal["str", "infer"]

_FIELD_TYPES: Final = get_args(FieldType)


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """Options for the encoding of field values.

    Raises:
        TypeError: an option has the wrong type; the message begins with the option's name.
        ValueError: an option has an invalid value; the message begins with the option's name.
    """

    #: Whether the server supports unsigned integers. If so, `numpy.uint64` and integers of 2**63 and more are written
    #: as unsigned integers (`5u`). Releases of InfluxDB 1.x reject them.
    unsigned: bool = False
    #: How to treat infinite floats, which InfluxDB cannot store: `raise` an error, or `omit` them like missing values.
    nonfinite: Literal["raise", "omit"] = "raise"
    #: Type overrides by field key, which apply to all values: `{"temperature": "float"}` writes 21 as `21.0`.
    field_types: Mapping[str, FieldType] = field(default_factory=dict, hash=False)  # a dict is unhashable
    #: Whether to write all integers as floats, except in fields with a type override in `field_types`.
    integers_as_floats: bool = False

    def __post_init__(self) -> None:
        for name in ("unsigned", "integers_as_floats"):
            check_bool(name, getattr(self, name))
        check_choice("nonfinite", self.nonfinite, ("raise", "omit"))
        for key, kind in check_mapping("field_types", self.field_types).items():
            check_choice(f"field_types: {key!r}", kind, _FIELD_TYPES)
        # Copied, so that later changes by the caller cannot change the type of a field within a stream.
        object.__setattr__(self, "field_types", dict(self.field_types))

    def with_overrides(
        self,
        unsigned: bool | None = None,
        nonfinite: Literal["raise", "omit"] | None = None,
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool | None = None,
    ) -> FieldOptions:
        """Return a copy with some options replaced; None keeps an option, and `field_types` are merged.

        Raises:
            ValueError: an option has an invalid value; the message begins with the option's name.
        """
        if unsigned is None and nonfinite is None and field_types is None and integers_as_floats is None:
            return self
        overrides: dict[str, Any] = {
            "unsigned": unsigned,
            "nonfinite": nonfinite,
            "integers_as_floats": integers_as_floats,
            "field_types": field_types,
        }
        if isinstance(field_types, Mapping):
            overrides["field_types"] = {**self.field_types, **field_types}
        replaced = replace(self, **{name: value for name, value in overrides.items() if value is not None})
        return self if replaced == self else replaced  # callers compare by identity


#: Default options.
DEFAULT: Final = FieldOptions()
