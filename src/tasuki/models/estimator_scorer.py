"""Scores with a scikit-learn estimator, kept as skops or as ONNX: whatever turns a matrix into probabilities."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tasuki.models.encoding import Column, RawValue
from tasuki.models.estimators import Layout
from tasuki.models.features import Feature
from tasuki.models.matrix import Vocabularies, matrix_of, matrix_width, row_maker
from tasuki.models.onnx_file import load_onnx
from tasuki.models.skops_file import load_estimator

LARGEST_CHUNK = 50_000
"""Rows whose matrix is made at once."""


@dataclass(frozen=True)
class Estimator:
    """The parameters: how features become a matrix, and the file that turns it into probabilities."""

    features: tuple[Feature, ...]
    layout: Layout
    vocabularies: Vocabularies
    storage: Literal["skops", "onnx"]
    content: bytes

    @property
    def width(self) -> int:
        """How many columns the matrix has."""
        return matrix_width(self.layout, self.features, self.vocabularies)


class EstimatorScorer:
    """Scores with an estimator, on one thread."""

    def __init__(self, model: Estimator) -> None:
        self.model = model
        load = load_onnx if model.storage == "onnx" else _load_skops
        self._predict = load(model.content, model.width)
        self._names = list(dict.fromkeys(name for one in model.features for name, _ in one.inputs))
        self._row = row_maker(model.layout, model.features, model.vocabularies, self._names)

    def score_row(self, row: Mapping[str, RawValue]) -> float:
        """The probability of one row.

        Raises:
            WrongValue: When a value cannot be taken.
            KeyError: When a column is not there.
        """
        return float(self._predict(np.asarray([self._row([row[name] for name in self._names])]))[0])

    def from_values(self, names: Sequence[str]) -> Callable[[Sequence[Any]], float]:
        """The function from one row's values, in the order of the names, to its probability.

        Raises:
            KeyError: When the names lack an input of the model.
        """
        make = row_maker(self.model.layout, self.model.features, self.model.vocabularies, names)
        predict = self._predict
        return lambda values: float(predict(np.asarray([make(values)]))[0])

    def score_columns(self, columns: Mapping[str, Column]) -> npt.NDArray[np.float64]:
        """The probability of each row of a table.

        Raises:
            WrongValue: When a value cannot be taken.
            KeyError: When a column is not there.
        """
        model, rows = self.model, len(next(iter(columns.values())))
        scores = np.empty(rows, dtype=np.float64)
        for start in range(0, rows, LARGEST_CHUNK):
            chunk = {name: column[start : start + LARGEST_CHUNK] for name, column in columns.items()}
            matrix = matrix_of(model.layout, model.features, model.vocabularies, chunk)
            scores[start : start + LARGEST_CHUNK] = self._predict(matrix)
        return scores


def _load_skops(content: bytes, width: int) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    from threadpoolctl import ThreadpoolController

    estimator = load_estimator(content, width)
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)

    # Looking for the libraries to hold to one thread takes longer than a score: it is done once.
    controller = ThreadpoolController()

    def predict(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        with controller.limit(limits=1):
            scores: npt.NDArray[np.float64] = estimator.predict_proba(matrix)[:, 1].astype(np.float64)
        return scores

    return predict
