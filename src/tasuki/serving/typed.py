"""The short way of one row: a body that has exactly the types a plan wants is read, assigned and scored in a few steps.

Whatever does not fit, for whatever reason, takes the long way (`tasuki.serving.request` and `tasuki.serving.answer`),
which answers it or names each faulty field. So this way never refuses anything, and both give the same answers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType
from msgspec.structs import astuple

from tasuki.models.artifact import Artifact, Input
from tasuki.models.encoding import NULL, moment_value

# What has more characters may be too many bytes, or digits: the long way counts them.
_Text = Annotated[str, Meta(max_length=256)]
_Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_Value = _Text | _Whole | float | bool
_Count = Annotated[float, Meta(ge=0, multiple_of=1)]
_TYPES: Mapping[str, Any] = {"number": float, "category": _Value, "time": str}


class _Body(Struct, forbid_unknown_fields=True, gc=False):
    unit: _Text | _Whole
    features: Raw


_read_body = msgspec.json.Decoder(_Body).decode


class Unfit(Exception):
    """The body does not have the types of the short way."""


@dataclass(frozen=True)
class ArmScorer:
    """What answers an arm: a function from the row's values to its score, and what the answer says beside it."""

    arm: str
    version: str
    score: Callable[[Sequence[Any]], float]
    fallback: bool
    reason: str | None


class TypedRows:
    """Reads one-row bodies of a plan.

    Args:
        inputs: What any loaded arm reads; each name once.
        needed: The names that must be there, those of control.
        known: Further names that may be there. Nobody reads them, yet they must hold what a feature can be.

    Raises:
        ValueError: When two arms read one name as different types: there is no short way then.
    """

    def __init__(self, inputs: Sequence[Input], needed: Mapping[str, Input], known: frozenset[str]) -> None:
        # Control's inputs first and in its order: its values then need no sorting.
        by_name = {one.name: one for one in inputs}
        if len(by_name) < len(inputs):
            raise ValueError("a name has two types")
        self.names = (*needed, *(name for name in by_name if name not in needed))
        self._optional = tuple(place for place, name in enumerate(self.names) if name not in needed)
        self._times = tuple(
            (place, by_name[name]) for place, name in enumerate(self.names) if by_name[name].type == "time"
        )
        ignored = sorted(known - by_name.keys())
        self._ignores = bool(ignored)
        fields: list[Any] = [(f"f{at}", _type_of(by_name[name], name in needed)) for at, name in enumerate(self.names)]
        # Fields with a default come last, as for any class.
        fields = [one if place not in self._optional else (*one, UNSET) for place, one in enumerate(fields)]
        fields += [(f"more{at}", _Value | UnsetType, UNSET) for at in range(len(ignored))]
        renamed = {f"f{at}": name for at, name in enumerate(self.names)}
        renamed |= {f"more{at}": name for at, name in enumerate(ignored)}
        kind = msgspec.defstruct("Features", fields, rename=renamed, forbid_unknown_fields=True, gc=False)
        self._decode = msgspec.json.Decoder(kind).decode

    def read(self, body: bytes) -> tuple[str, Sequence[Any], str]:
        """The unit, the values in the order of `names`, and the features' own text.

        Raises:
            Unfit: When the body does not have exactly the types wanted; any error of reading counts as that.
        """
        try:
            asked = _read_body(body)
            unit = asked.unit
            if type(unit) is not str:
                unit = str(unit)
            values: Sequence[Any] = astuple(self._decode(asked.features))
            text = str(asked.features, "utf-8")
            # JSON writes it with a backslash, which hardly any body has: a look at the text spares one at each value.
            if "\\" in text and NULL in values:
                raise Unfit
            if self._ignores:
                values = values[: len(self.names)]
            for place in self._optional:
                if values[place] is UNSET:
                    raise Unfit
            if self._times:
                values = list(values)
                for place, one in self._times:
                    values[place] = moment_value(one.name, values[place], one.nullable)
        except (msgspec.MsgspecError, ValueError) as error:
            raise Unfit from error
        if not unit:
            raise Unfit
        return unit, values, text

    def scorer_of(self, artifact: Artifact) -> Callable[[Sequence[Any]], float]:
        """The function from the values that `read` gives to an artifact's score."""
        wanted = tuple(name for name in self.names if name in artifact.inputs)
        if wanted == self.names:
            return artifact.scorer.from_values(self.names)
        score = artifact.scorer.from_values(wanted)
        if not wanted:
            return lambda _: score(())
        if len(wanted) == 1:
            place = self.names.index(wanted[0])
            return lambda values: score((values[place],))
        pick = itemgetter(*(self.names.index(name) for name in wanted))
        return lambda values: score(pick(values))


def _type_of(one: Input, needed: bool) -> Any:
    kind = _Count if one.count else _TYPES[one.type]
    kind = kind | None if one.nullable else kind
    return kind if needed else kind | UnsetType
