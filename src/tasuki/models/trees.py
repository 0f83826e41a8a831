"""LightGBM models kept as text: checked before they are loaded, scored through the shared library without its package.

Importing `lightgbm` takes seconds because it pulls pandas and scikit-learn; the inference service needs neither. The
text runs no code, but its parser trusts what is in it, so `tasuki.models.tree_text` checks every line first.
"""

import ctypes
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.errors import Invalid, Unavailable
from tasuki.models.encoding import Column, RawValue, as_numbers, codes_and_keys, keyer, number_value
from tasuki.models.features import Feature, Number
from tasuki.models.single_row import SingleRow, plain_scorer
from tasuki.models.tree_text import check_text

_FLOAT64, _ROW_MAJOR, _NORMAL = 1, 1, 0
_ONE_THREAD = b"num_threads=1"


@dataclass(frozen=True)
class Trees:
    """The parameters: the model's text, and for each feature with keys the code of each key seen in training.

    A key that is not in its vocabulary gets the code after the last.
    """

    features: tuple[Feature, ...]
    vocabularies: Mapping[str, Mapping[str, int]]
    text: str


class TreesScorer:
    """Scores with a LightGBM model, on one thread."""

    def __init__(self, model: Trees) -> None:
        check_text(model.text, len(model.features))
        self.model = model
        self._features = model.features
        self._vocabularies = model.vocabularies
        self._keyers = {one.name: keyer(one) for one in model.features}
        self._library = _library()
        self._handle = ctypes.c_void_p()
        rounds = ctypes.c_int()
        loaded = self._library.LGBM_BoosterLoadModelFromString(
            model.text.encode(), ctypes.byref(rounds), ctypes.byref(self._handle)
        )
        self._check(loaded)
        self._single = SingleRow(self._library._name, self._handle, len(model.features))

    def __del__(self) -> None:
        # The single row's configuration refers to the booster: it goes first.
        if hasattr(self, "_single"):
            self._single.close()
        if getattr(self, "_handle", None):
            self._library.LGBM_BoosterFree(self._handle)

    def score_row(self, row: Mapping[str, RawValue]) -> float:
        """The probability of one row.

        Raises:
            WrongValue: When a value cannot be taken.
            KeyError: When a column is not there.
        """
        return self._single.predict([self._value(one, row) for one in self._features])

    def from_values(self, names: Sequence[str]) -> Callable[[Sequence[Any]], float]:
        """The function from one row's values, in the order of the names, to its probability.

        It does what `score_row` does, with every look-up by name done once, here. Values must have the inputs' types.

        Raises:
            KeyError: When the names lack an input of the model.
        """
        places = {name: place for place, name in enumerate(names)}
        if all(map(is_plain, self._features)) and [one.name for one in self._features] == list(names):
            return plain_scorer(self._single.predict, [at for at, one in enumerate(self._features) if one.nullable])
        predict, numbers = self._single.predict, [self._number_of(one, places) for one in self._features]
        return lambda values: predict([number(values) for number in numbers])

    def _number_of(self, feature: Feature, places: Mapping[str, int]) -> Callable[[Sequence[Any]], float]:
        if is_plain(feature):
            name, nullable, place = feature.name, feature.nullable, places[feature.name]
            return lambda values: number_value(name, values[place], nullable)
        codes = {key: float(code) for key, code in self._vocabularies[feature.name].items()}
        code_of, unknown, make = codes.get, float(len(codes)), self._keyers[feature.name]
        at = [places[column] for column, _ in feature.inputs]
        if len(at) == 1:
            place = at[0]
            return lambda values: code_of(make(values[place]), unknown)
        return lambda values: code_of(make(*[values[one] for one in at]), unknown)

    def score_columns(self, columns: Mapping[str, Column]) -> npt.NDArray[np.float64]:
        """The probability of each row of a table.

        Raises:
            WrongValue: When a value cannot be taken.
            KeyError: When a column is not there.
        """
        return self._predict(dense(self._features, self._vocabularies, columns))

    def _value(self, feature: Feature, row: Mapping[str, RawValue]) -> float:
        if is_plain(feature):
            return number_value(feature.name, row[feature.name], feature.nullable)
        vocabulary = self._vocabularies[feature.name]
        key = self._keyers[feature.name](*(row[column] for column, _ in feature.inputs))
        return float(vocabulary.get(key, len(vocabulary)))

    def _predict(self, matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        rows, width = matrix.shape
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        scores = np.empty(rows, dtype=np.float64)
        given = ctypes.c_int64()
        done = self._library.LGBM_BoosterPredictForMat(
            self._handle,
            matrix.ctypes.data_as(ctypes.c_void_p),
            _FLOAT64,
            ctypes.c_int32(rows),
            ctypes.c_int32(width),
            _ROW_MAJOR,
            _NORMAL,
            0,
            -1,
            _ONE_THREAD,
            ctypes.byref(given),
            scores.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
        )
        self._check(done)
        return scores

    def _check(self, result: int) -> None:
        if result != 0:
            raise Invalid(f"LightGBM cannot use the model: {self._library.LGBM_GetLastError().decode()}")


def is_plain(feature: Feature) -> bool:
    """Whether the feature is a number that trees take as it is."""
    return isinstance(feature, Number) and not feature.bins


def dense(
    features: tuple[Feature, ...], vocabularies: Mapping[str, Mapping[str, int]], columns: Mapping[str, Column]
) -> npt.NDArray[np.float64]:
    """The features as a matrix, one column each: the number itself, or the code of the key."""
    parts = []
    for feature in features:
        if isinstance(feature, Number) and not feature.bins:
            parts.append(as_numbers(feature.column, columns[feature.column], feature.nullable))
            continue
        vocabulary = vocabularies[feature.name]
        codes, keys = codes_and_keys(feature, columns)
        of_key = np.asarray([vocabulary.get(key, len(vocabulary)) for key in keys], dtype=np.float64)
        parts.append(of_key[codes])
    return np.column_stack(parts)


@cache
def _library() -> ctypes.CDLL:
    found = importlib.util.find_spec("lightgbm")
    folders = list(found.submodule_search_locations or []) if found else []
    names = ("lib_lightgbm.so", "lib_lightgbm.dylib", "lib_lightgbm.dll")
    paths = [Path(folder) / "lib" / name for folder in folders for name in names]
    path = next((one for one in paths if one.is_file()), None)
    if path is None:
        raise Unavailable("LightGBM's library is not installed", next_step="install the package lightgbm")
    library = ctypes.CDLL(str(path))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library
