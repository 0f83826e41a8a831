"""Fitting: from columns and labels to parameters that can be kept as plain files, one way for each family."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tasuki.errors import Fault, Invalid, TasukiError
from tasuki.models.artifact import Parameters
from tasuki.models.definition import Model
from tasuki.models.encoding import Column, WrongValue, as_numbers, codes_and_keys, slot_of
from tasuki.models.estimator_scorer import Estimator
from tasuki.models.estimators import family_of, layout_of
from tasuki.models.features import Feature
from tasuki.models.linear import Linear, Scale, plain_numbers
from tasuki.models.matrix import matrix_of, matrix_width
from tasuki.models.onnx_file import dump_onnx
from tasuki.models.skops_file import dump_estimator
from tasuki.models.tree_text import trimmed
from tasuki.models.trees import Trees, dense, is_plain

LARGEST_VOCABULARY = 255
LARGEST_MATRIX_BYTES = 8 << 30

Columns = Mapping[str, Column]
Labels = npt.NDArray[np.bool_]


def fit(model: Model, columns: Columns, labels: Labels) -> Parameters:
    """Fits the model's estimator; the same inputs give the same parameters.

    Raises:
        WrongValue: When a column holds values its feature cannot take.
        Invalid: When the estimator itself refuses, or cannot be kept.
    """
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    estimator: Any = clone(model.estimator)
    unseeded = [name for name, value in estimator.get_params().items() if value is None and _is_seed(name)]
    estimator.set_params(**dict.fromkeys(unseeded, model.seed))
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that stops at max_iter is still a fit; its metrics are in the card
        try:
            return _FITS[family_of(estimator, model.storage)](model, columns, labels, estimator)
        except (MemoryError, TasukiError, WrongValue):
            raise
        except Exception as error:  # every library has errors of its own
            what = f"{type(estimator).__name__} refuses to learn: {str(error)[:400]}"
            raise Invalid(f"{model.name} cannot be trained", [Fault("estimator", what)]) from error


def _is_seed(name: str) -> bool:
    return name.rpartition("__")[2] == "random_state"


def _fit_linear(model: Model, columns: Columns, labels: Labels, estimator: Any) -> Linear:
    from scipy import sparse

    slots = []
    for feature in model.features:
        codes, keys = codes_and_keys(feature, columns)
        slots.append(np.asarray([slot_of(key, model.seed, model.buckets) for key in keys], dtype=np.int64)[codes])
    scales, numbers = _scaled(model.features, columns)
    # Slots that no row uses would keep weight 0: leaving them out makes the fit many times smaller.
    used, places = np.unique(np.column_stack(slots), return_inverse=True)
    places = places.reshape(len(labels), len(slots))
    # scikit-learn takes 32-bit indices only.
    starts = np.arange(len(labels) + 1, dtype=np.int32) * np.int32(len(slots))
    shape = (len(labels), len(used))
    matrix = sparse.csr_array((np.ones(places.size), places.ravel().astype(np.int32), starts), shape=shape)
    matrix.sum_duplicates()
    if numbers:
        matrix = sparse.hstack([matrix, sparse.csr_array(np.column_stack(numbers))], format="csr")
    estimator.fit(matrix, labels)
    weights = np.zeros(model.buckets + len(numbers))
    weights[used] = estimator.coef_[0][: len(used)]
    weights[model.buckets :] = estimator.coef_[0][len(used) :]
    intercept = float(np.ravel(estimator.intercept_)[0])
    return Linear(model.features, model.buckets, model.seed, scales, intercept, weights)


def _scaled(features: tuple[Feature, ...], columns: Columns) -> tuple[dict[str, Scale], list[npt.NDArray[np.float64]]]:
    scales, numbers = {}, []
    for feature in plain_numbers(features):
        values = as_numbers(feature.column, columns[feature.column], feature.nullable)
        there = values[~np.isnan(values)]
        deviation = float(there.std()) if len(there) else 0.0
        scale = Scale(float(there.mean()) if len(there) else 0.0, deviation if deviation > 0 else 1.0)
        scales[feature.column] = scale
        numbers.append(np.where(np.isnan(values), 0.0, (values - scale.mean) / scale.deviation))
    return scales, numbers


def _fit_trees(model: Model, columns: Columns, labels: Labels, estimator: Any) -> Trees:
    vocabularies = vocabularies_of(model.features, columns)
    matrix = dense(model.features, vocabularies, columns)
    keyed = [place for place, feature in enumerate(model.features) if not is_plain(feature)]
    estimator.set_params(n_jobs=1, deterministic=True, force_row_wise=True, verbose=-1)
    estimator.fit(matrix, labels, categorical_feature=keyed or "auto")
    return Trees(model.features, vocabularies, trimmed(estimator.booster_.model_to_string(num_iteration=-1)))


def _fit_boosted(model: Model, columns: Columns, labels: Labels, estimator: Any) -> Trees:
    from tasuki.models.boosted_text import boosted_text

    vocabularies = vocabularies_of(model.features, columns)
    estimator.set_params(n_jobs=1, verbosity=0)
    estimator.fit(dense(model.features, vocabularies, columns), labels)
    document = bytes(estimator.get_booster().save_raw("json"))
    return Trees(model.features, vocabularies, boosted_text(document, len(model.features)))


def _fit_estimator(model: Model, columns: Columns, labels: Labels, estimator: Any) -> Estimator:
    layout, vocabularies = layout_of(estimator), vocabularies_of(model.features, columns)
    width = matrix_width(layout, model.features, vocabularies)
    if width * len(labels) * 8 > LARGEST_MATRIX_BYTES:
        what = f"{len(labels):,} rows × {width} columns do not fit"
        expected = f"at most {LARGEST_MATRIX_BYTES >> 30} GiB: fewer rows, a linear model, LightGBM or --engine spark"
        raise Invalid(f"{model.name} cannot be trained", [Fault("features", what, expected)])
    matrix = matrix_of(layout, model.features, vocabularies, columns)
    estimator.fit(matrix, labels)
    storage: Literal["skops", "onnx"] = "onnx" if model.storage == "onnx" else "skops"
    content = dump_onnx(estimator, matrix) if storage == "onnx" else dump_estimator(estimator)
    return Estimator(model.features, layout, vocabularies, storage, content)


def vocabularies_of(features: tuple[Feature, ...], columns: Columns) -> dict[str, dict[str, int]]:
    """The vocabulary of each feature with keys: the most frequent keys, numbered by frequency, then by name."""
    return {one.name: _vocabulary(one, columns) for one in features if not is_plain(one)}


def most_frequent(counts: Mapping[str, int]) -> dict[str, int]:
    """The vocabulary that belongs to the counts of keys."""
    frequent = sorted(counts, key=lambda key: (-counts[key], key))[:LARGEST_VOCABULARY]
    return {key: place for place, key in enumerate(frequent)}


def _vocabulary(feature: Feature, columns: Columns) -> dict[str, int]:
    codes, keys = codes_and_keys(feature, columns)
    counts: dict[str, int] = {}
    for key, count in zip(keys, np.bincount(codes, minlength=len(keys)).tolist(), strict=True):
        if count:
            counts[key] = counts.get(key, 0) + count
    return most_frequent(counts)


_FITS: dict[str, Callable[[Model, Columns, Labels, Any], Parameters]] = {
    "linear": _fit_linear,
    "lightgbm": _fit_trees,
    "xgboost": _fit_boosted,
    "scikit-learn": _fit_estimator,
}
