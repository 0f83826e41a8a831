"""scikit-learn estimators as skops files: every type in one is looked up in a list that is fixed here.

The list is never taken from the file, and the file's own description is read as JSON before skops sees it: a type or a
kind of node that is not listed ends the loading. Functions, methods and pickled values are no listed kind. Trees are
walked before they are used, since scikit-learn trusts the indices in them.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from tasuki.errors import Fault, Invalid

_SKLEARN = {
    "sklearn.calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
    "sklearn.compose._column_transformer": "ColumnTransformer _RemainderColsList",
    "sklearn.decomposition._pca": "PCA",
    "sklearn.decomposition._truncated_svd": "TruncatedSVD",
    "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "sklearn.dummy": "DummyClassifier",
    "sklearn.ensemble._bagging": "BaggingClassifier",
    "sklearn.ensemble._forest": "ExtraTreesClassifier RandomForestClassifier",
    "sklearn.ensemble._gb": "GradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.gradient_boosting": "HistGradientBoostingClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
    "sklearn.ensemble._stacking": "StackingClassifier",
    "sklearn.ensemble._voting": "VotingClassifier",
    "sklearn.ensemble._weight_boosting": "AdaBoostClassifier",
    "sklearn.feature_selection._variance_threshold": "VarianceThreshold",
    "sklearn.impute._base": "MissingIndicator SimpleImputer",
    "sklearn.isotonic": "IsotonicRegression",
    "sklearn.linear_model._logistic": "LogisticRegression LogisticRegressionCV",
    "sklearn.linear_model._stochastic_gradient": "SGDClassifier",
    "sklearn.linear_model._sgd_fast": "Log ModifiedHuber",
    "sklearn.naive_bayes": "BernoulliNB ComplementNB GaussianNB MultinomialNB",
    "sklearn.neural_network._multilayer_perceptron": "MLPClassifier",
    "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
    "sklearn.pipeline": "FeatureUnion Pipeline",
    "sklearn.preprocessing._data": (
        "MaxAbsScaler MinMaxScaler Normalizer PowerTransformer QuantileTransformer RobustScaler StandardScaler"
    ),
    "sklearn.preprocessing._discretization": "KBinsDiscretizer",
    "sklearn.preprocessing._encoders": "OneHotEncoder OrdinalEncoder",
    "sklearn.preprocessing._label": "LabelBinarizer LabelEncoder",
    "sklearn.preprocessing._polynomial": "PolynomialFeatures SplineTransformer",
    "sklearn.tree._classes": "DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor",
    "sklearn.tree._tree": "Tree",
    "sklearn._loss._loss": "CyHalfBinomialLoss CyExponentialLoss",
    "sklearn._loss.link": "HalfLogitLink IdentityLink Interval LogitLink",
    "sklearn._loss.loss": "ExponentialLoss HalfBinomialLoss",
    "sklearn.utils._bunch": "Bunch",
}
_PLAIN = {
    "builtins": "bool dict float int list set slice str tuple",
    "numpy": "bool bool_ dtype float32 float64 int32 int64 intp ndarray uint8 uint32 uint64",
    "numpy.random._generator": "Generator",
    "numpy.random.mtrand": "RandomState",
}
ALLOWED = frozenset(f"{module}.{name}" for module, names in {**_SKLEARN, **_PLAIN}.items() for name in names.split())
"""Every type that a file may hold."""

_NODES = frozenset(
    f"{kind}Node"
    for kind in (
        *("DType", "Dict", "Json", "List", "Loss", "NdArray", "Object"),
        *("RandomGenerator", "RandomState", "Set", "Slice", "Tree", "Tuple", "Type"),
    )
)
_ENSEMBLES = ("sklearn.ensemble._forest.", "sklearn.ensemble._gb.")
_ENTRY = re.compile(r"schema\.json|[0-9]+\.npy")
_LARGEST_BYTES = 1 << 30
_SAME_DAY = (1980, 1, 1, 0, 0, 0)


def dump_estimator(estimator: Any) -> bytes:
    """A fitted estimator as a skops file, the same bytes for the same estimator.

    Raises:
        Invalid: When it holds a type that is not listed.
    """
    import skops.io

    content = _renumbered(skops.io.dumps(estimator))
    _check(content)
    return content


def load_estimator(content: bytes, width: int) -> Any:
    """The estimator of a file, after every type and every tree in it was checked.

    Args:
        content: The file.
        width: How many columns its matrix has.

    Raises:
        Invalid: Naming what is not listed, or a tree whose indices lead outside.
    """
    _check(content)
    import skops.io

    try:
        estimator = skops.io.loads(content, trusted=sorted(ALLOWED))
    except Exception as error:
        raise Invalid("the skops file cannot be read", [Fault("estimator.skops", str(error)[:300])]) from error
    if getattr(estimator, "n_features_in_", None) != width or not hasattr(estimator, "predict_proba"):
        raise Invalid("the skops file does not fit", [Fault("estimator.skops", f"is no classifier of {width} columns")])
    faults = list(_faults_inside(estimator, width, set()))
    if faults:
        raise Invalid("the skops file cannot be trusted", [Fault("estimator.skops", one) for one in faults[:10]])
    return estimator


def _check(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            foreign = [one.filename for one in entries if not _ENTRY.fullmatch(one.filename)]
            if foreign or sum(one.file_size for one in entries) > _LARGEST_BYTES:
                said = f"holds {foreign[0]!r}" if foreign else "is too large"
                raise Invalid("the skops file cannot be trusted", [Fault("estimator.skops", said)])
            nodes = list(_nodes(json.loads(archive.read("schema.json"))))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, OSError) as error:
        raise Invalid("the skops file cannot be read", [Fault("estimator.skops", str(error)[:300])]) from error
    types = {f"{one.get('__module__')}.{one.get('__class__')}" for one in nodes}
    kinds = {str(one["__loader__"]) for one in nodes}
    unknown = [*sorted(types - ALLOWED), *sorted(kinds - _NODES)]
    if unknown:
        faults = [Fault("estimator.skops", f"holds {one}, which is not in the list of types") for one in unknown]
        raise Invalid("the skops file cannot be trusted", faults, next_step="use another estimator, or storage='onnx'")


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "__loader__" in value:
            yield value
        for one in value.values():
            yield from _nodes(one)
    elif isinstance(value, list):
        for one in value:
            yield from _nodes(one)


def _renumbered(content: bytes) -> bytes:
    """skops numbers what it writes by memory addresses; here by place, so that the same estimator is the same bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read("schema.json"))
        arrays: dict[str, bytes] = {}
        for place, node in enumerate(_nodes(schema), 1):
            # What is one object in memory, or only has the address of one that is gone, differs between processes:
            # every node is an object of its own.
            node["__id__"] = place
            if isinstance(node.get("file"), str):
                name = f"{node['__id__']}.npy"
                arrays[name] = archive.read(node["file"])
                node["file"] = name
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [("schema.json", json.dumps(schema, sort_keys=True).encode()), *sorted(arrays.items())]:
            archive.writestr(zipfile.ZipInfo(name, _SAME_DAY), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _faults_inside(value: Any, width: int, seen: set[int]) -> Iterator[str]:
    """What is wrong with the trees inside a value; `width` is what the estimator around it takes."""
    if id(value) in seen or isinstance(value, str | bytes | int | float | type(None)):
        return
    seen.add(id(value))
    yield from _tree_faults(value, width)
    own = getattr(value, "n_features_in_", width)
    for part in _parts_of(value):
        yield from _faults_inside(part, own, seen)


def _parts_of(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set):
        return list(value)
    if isinstance(value, np.ndarray):
        return list(value.ravel()) if value.dtype.kind == "O" else []
    return list(vars(value).values()) if hasattr(value, "__dict__") else []


def _tree_faults(value: Any, width: int) -> Iterator[str]:
    name = f"{type(value).__module__}.{type(value).__name__}"
    if name.startswith(_ENSEMBLES):
        # These hand their rows straight to the members' trees, which check nothing.
        members = _parts_of(np.asarray(getattr(value, "estimators_", []), dtype=object))
        if any(getattr(one, "n_features_in_", None) != value.n_features_in_ for one in members):
            yield "an ensemble's tree takes another number of columns"
    elif name == "sklearn.tree._tree.Tree":
        left, right = np.asarray(value.children_left), np.asarray(value.children_right)
        yield from _link_faults(left, right, left < 0, np.asarray(value.feature), width)
        if value.n_features != width:
            yield f"a tree reads {value.n_features} columns of {width}"
    elif name.endswith("predictor.TreePredictor"):
        nodes = value.nodes
        leaves = nodes["is_leaf"].astype(bool)
        yield from _link_faults(nodes["left"], nodes["right"], leaves, nodes["feature_idx"], width)
        if nodes["is_categorical"].any():
            yield "a tree splits by sets of categories"


def _link_faults(left: Any, right: Any, leaves: Any, feature: Any, width: int) -> Iterator[str]:
    nodes, inner = np.arange(len(leaves)), ~leaves
    if not len(leaves):
        yield "a tree has no node"
    for side in (left.astype(np.int64)[inner], right.astype(np.int64)[inner]):
        # Children come after their parent: a walk always ends.
        if (side <= nodes[inner]).any() or (side >= len(leaves)).any():
            yield "a tree's children lead outside, or back"
    if ((feature[inner] < 0) | (feature[inner] >= width)).any():
        yield f"a tree reads a column outside 0 to {width - 1}"
