"""Linear models over hashed keys: one sum, in the same order for one row and for many, so equal to the bit."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.models.encoding import Column, RawValue, as_numbers, codes_and_keys, keyer, number_value, slot_of
from tasuki.models.features import Feature, Number

CACHED_SLOTS = 200_000
"""How many distinct raw values the slots are remembered for; beyond it they are hashed again."""


@dataclass(frozen=True)
class Scale:
    """What a number without bins is standardised with."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class Linear:
    """The parameters: `weights[slot]` for each hashed key, then one weight per number without bins."""

    features: tuple[Feature, ...]
    buckets: int
    seed: int
    scales: Mapping[str, Scale]
    intercept: float
    weights: npt.NDArray[np.float64]


class LinearScorer:
    """Scores with a linear model; keeps the slots of values it has seen."""

    def __init__(self, model: Linear) -> None:
        self._model = model
        self._intercept = model.intercept
        self._weights: list[float] = model.weights.tolist()
        self._keyers = [(keyer(one), tuple(name for name, _ in one.inputs)) for one in model.features]
        self._numbers = [
            (one, model.scales[one.column], self._weights[model.buckets + place])
            for place, one in enumerate(plain_numbers(model.features))
        ]
        self._slots: dict[str, int] = {}

    def score_row(self, row: Mapping[str, RawValue]) -> float:
        """The probability of one row.

        Raises:
            WrongValue: When a value cannot be taken.
            KeyError: When a column is not there.
        """
        total, weights = self._intercept, self._weights
        for make, columns in self._keyers:
            key = make(row[columns[0]]) if len(columns) == 1 else make(*[row[column] for column in columns])
            total += weights[self._slot(key)]
        for feature, scale, weight in self._numbers:
            value = number_value(feature.column, row[feature.column], feature.nullable)
            total += weight * (0.0 if math.isnan(value) else (value - scale.mean) / scale.deviation)
        return sigmoid(total)

    def from_values(self, names: Sequence[str]) -> Callable[[Sequence[Any]], float]:
        """The function from one row's values, in the order of the names, to its probability.

        It does what `score_row` does, in the same order, with every look-up by name done once, here.

        Raises:
            KeyError: When the names lack an input of the model.
        """
        places = {name: place for place, name in enumerate(names)}
        keyers = [(make, tuple(places[column] for column in columns)) for make, columns in self._keyers]
        numbers = [(one, scale, weight, places[one.column]) for one, scale, weight in self._numbers]
        intercept, weights, slots, slot = self._intercept, self._weights, self._slots, self._slot

        def score(values: Sequence[Any]) -> float:
            total = intercept
            for make, from_ in keyers:
                key = make(values[from_[0]]) if len(from_) == 1 else make(*[values[place] for place in from_])
                at = slots.get(key)
                total += weights[slot(key) if at is None else at]
            for feature, scale, weight, place in numbers:
                value = number_value(feature.column, values[place], feature.nullable)
                total += weight * (0.0 if math.isnan(value) else (value - scale.mean) / scale.deviation)
            return sigmoid(total)

        return score

    def score_columns(self, columns: Mapping[str, Column]) -> npt.NDArray[np.float64]:
        """The probability of each row of a table; the same bits as `score_row` gives for each.

        Raises:
            WrongValue: When a value cannot be taken.
            KeyError: When a column is not there.
        """
        rows = len(next(iter(columns.values())))
        total = np.full(rows, self._intercept)
        for feature in self._model.features:
            codes, keys = codes_and_keys(feature, columns)
            total += np.asarray([self._weights[self._slot(key)] for key in keys])[codes]
        for feature, scale, weight in self._numbers:
            values = as_numbers(feature.column, columns[feature.column], feature.nullable)
            standard = (values - scale.mean) / scale.deviation
            total += weight * np.where(np.isnan(values), 0.0, standard)
        # NumPy's exp may differ from the C library's in the last bit; the same function is called for both forms.
        return np.asarray([sigmoid(one) for one in total.tolist()], dtype=np.float64)

    def _slot(self, key: str) -> int:
        slot = self._slots.get(key)
        if slot is None:
            slot = slot_of(key, self._model.seed, self._model.buckets)
            if len(self._slots) < CACHED_SLOTS:
                self._slots[key] = slot
        return slot


def plain_numbers(features: tuple[Feature, ...]) -> tuple[Number, ...]:
    """The numbers without bins, in order: they have a weight of their own after the hash table's."""
    return tuple(one for one in features if isinstance(one, Number) and not one.bins)


def sigmoid(value: float) -> float:
    """1 / (1 + e^−value), without overflow."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    grown = math.exp(value)
    return grown / (1.0 + grown)
