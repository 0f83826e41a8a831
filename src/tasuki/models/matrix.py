"""Features as the matrix of an estimator that knows columns only: codes or indicators, for a table and for one row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.models.encoding import Column, keyer, number_value
from tasuki.models.estimators import Layout
from tasuki.models.features import Feature
from tasuki.models.trees import dense, is_plain

Vocabularies = Mapping[str, Mapping[str, int]]


def matrix_width(layout: Layout, features: tuple[Feature, ...], vocabularies: Vocabularies) -> int:
    """How many columns the matrix has."""
    if layout == "codes":
        return len(features)
    return sum(1 if is_plain(one) else len(vocabularies[one.name]) for one in features)


def matrix_of(
    layout: Layout, features: tuple[Feature, ...], vocabularies: Vocabularies, columns: Mapping[str, Column]
) -> npt.NDArray[np.float64]:
    """The matrix of a table's rows.

    `codes`: a column per feature, in order: the number (NaN for null), or the key's code in its vocabulary.
    `indicators`: a column per number, and one per key of a vocabulary, 1.0 where the row has that key.
    """
    codes = dense(features, vocabularies, columns)
    if layout == "codes":
        return codes
    parts = []
    for place, feature in enumerate(features):
        column = codes[:, place : place + 1]
        size = 1 if is_plain(feature) else len(vocabularies[feature.name])
        parts.append(column if is_plain(feature) else (column == np.arange(size)).astype(np.float64))
    return np.concatenate(parts, axis=1)


def row_maker(
    layout: Layout, features: tuple[Feature, ...], vocabularies: Vocabularies, names: Sequence[str]
) -> Callable[[Sequence[Any]], list[float]]:
    """The function from one row's values, in the order of the names, to its row of the matrix.

    Raises:
        KeyError: When the names lack an input.
    """
    places = {name: place for place, name in enumerate(names)}
    numbers = [_number_of(one, vocabularies, places) for one in features]
    if layout == "codes":
        return lambda values: [number(values) for number in numbers]
    sizes = [0 if is_plain(one) else len(vocabularies[one.name]) for one in features]

    def make(values: Sequence[Any]) -> list[float]:
        row: list[float] = []
        for number, size in zip(numbers, sizes, strict=True):
            value = number(values)
            if not size:
                row.append(value)
                continue
            start = len(row)
            row.extend([0.0] * size)
            if value < size:
                row[start + int(value)] = 1.0
        return row

    return make


def _number_of(
    feature: Feature, vocabularies: Vocabularies, places: Mapping[str, int]
) -> Callable[[Sequence[Any]], float]:
    if is_plain(feature):
        name, nullable, place = feature.name, feature.nullable, places[feature.name]
        return lambda values: number_value(name, values[place], nullable)
    codes = {key: float(code) for key, code in vocabularies[feature.name].items()}
    make, unknown = keyer(feature), float(len(codes))
    at = [places[column] for column, _ in feature.inputs]
    return lambda values: codes.get(make(*[values[one] for one in at]), unknown)
