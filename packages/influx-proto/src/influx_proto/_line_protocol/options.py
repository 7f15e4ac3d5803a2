"""What a caller may decide about the types of fields; everything else about values is a rule, not an option."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias, get_args

from .._checks import check_bool, check_choice, check_mapping

#: The types that InfluxDB has for fields.
FieldType: TypeAlias = Literal["float", "integer", "unsigned", "string", "boolean"]

#: How the cells of a DataFrame's columns of any objects are written: the text of each, or each by its own type.
ObjectColumns: TypeAlias = Literal["str", "infer"]

_FIELD_TYPES: Final = get_args(FieldType)


@dataclass(frozen=True, slots=True)
class FieldOptions:
    """How the values of fields are written where there is a choice.

    Raises:
        TypeError: an option has a value of another type; the message begins with the option's name.
        ValueError: an option has a value that it cannot have; the message begins with the option's name.
    """

    #: Whether the server stores unsigned integers: `numpy.uint64`, and integers that only fit into those, are then
    #: written as such (`5u`). InfluxDB 1.x as it is released refuses them.
    unsigned: bool = False
    #: What is done with infinite floats, which InfluxDB cannot store: `raise`, or `omit` them like missing values.
    nonfinite: Literal["raise", "omit"] = "raise"
    #: The type of single fields, by name, whatever type the value has: `{"temperature": "float"}` writes 21 as `21.0`.
    field_types: Mapping[str, FieldType] = field(default_factory=dict, hash=False)  # a dict has no hash
    #: Write all integers as floats, except those of fields with a type of their own in `field_types`.
    integers_as_floats: bool = False

    def __post_init__(self) -> None:
        for name in ("unsigned", "integers_as_floats"):
            check_bool(name, getattr(self, name))
        check_choice("nonfinite", self.nonfinite, ("raise", "omit"))
        for key, kind in check_mapping("field_types", self.field_types).items():
            check_choice(f"field_types: {key!r}", kind, _FIELD_TYPES)
        # A copy: what the caller does to theirs afterwards cannot turn a field's type in the middle of a stream.
        object.__setattr__(self, "field_types", dict(self.field_types))

    def with_overrides(
        self,
        unsigned: bool | None = None,
        nonfinite: Literal["raise", "omit"] | None = None,
        field_types: Mapping[str, FieldType] | None = None,
        integers_as_floats: bool | None = None,
    ) -> FieldOptions:
        """Give the same with some options decided otherwise; None leaves one as it is, and `field_types` are merged.

        Raises:
            ValueError: an option has a value that it cannot have; the message begins with the option's name.
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
        made = replace(self, **{name: value for name, value in overrides.items() if value is not None})
        return self if made == self else made  # so that who decides nothing else is easily told


#: That of those who decide nothing.
DEFAULT: Final = FieldOptions()
