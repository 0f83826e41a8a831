"""Which estimators can be trained and kept, and in what form: known by their module and name, never by trying."""

from typing import Any, Literal

from tasuki.errors import Fault

Family = Literal["linear", "lightgbm", "xgboost", "scikit-learn"]
Layout = Literal["codes", "indicators"]
"""How features become an estimator's matrix: one column per feature with a category's code, or one per category."""

STORAGES = ("auto", "skops", "onnx")
SUPPORTED = (
    "a scikit-learn classifier with predict_proba, LogisticRegression, SGDClassifier(loss='log_loss'), "
    "lightgbm.LGBMClassifier or xgboost.XGBClassifier"
)
_LINEAR = ("LogisticRegression", "SGDClassifier")
_TREES = (
    "sklearn.tree.",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._gb",
    "sklearn.ensemble._hist_gradient_boosting.",
)


def family_of(estimator: object, storage: str = "auto") -> Family:
    """The family of an estimator that has no fault."""
    kind = type(estimator)
    if kind.__module__.startswith("lightgbm."):
        return "lightgbm"
    if kind.__module__.startswith("xgboost."):
        return "xgboost"
    if kind.__module__.startswith("sklearn.linear_model.") and kind.__name__ in _LINEAR and storage == "auto":
        return "linear"
    return "scikit-learn"


def layout_of(estimator: Any) -> Layout:
    """Trees split codes as they are; everything else gets a column per category."""
    last = estimator
    while True:
        steps = getattr(last, "steps", None)
        inner = steps[-1][1] if steps else getattr(last, "estimator", None)
        if inner is None or isinstance(inner, str):
            break
        last = inner
    return "codes" if type(last).__module__.startswith(_TREES) else "indicators"


def estimator_faults(estimator: object, storage: str = "auto") -> list[Fault]:
    """Whether an estimator can be trained, gives probabilities and can be kept without pickle."""
    kind = type(estimator)
    name = kind.__name__
    if isinstance(estimator, type):
        return [Fault("estimator", f"{estimator.__name__} is a class", f"an instance: {estimator.__name__}()")]
    if storage not in STORAGES:
        return [Fault("storage", f"{storage!r} is no form of storage", ", ".join(STORAGES))]
    root = kind.__module__.partition(".")[0]
    if root in ("lightgbm", "xgboost"):
        return _boosted_faults(estimator, root, storage)
    if root != "sklearn":
        return [Fault("estimator", f"{kind.__module__}.{name} cannot be kept without pickle", SUPPORTED)]
    if name == "SGDClassifier" and getattr(estimator, "loss", "") != "log_loss" and storage == "auto":
        return [Fault("estimator", f"{name}(loss={estimator.loss!r}) gives no probability", "loss='log_loss'")]  # type: ignore[attr-defined]  # an SGDClassifier has one
    if not hasattr(estimator, "predict_proba"):
        return [Fault("estimator", f"{name} has no predict_proba", "a classifier that gives probabilities")]
    faults = _parameter_faults(estimator)
    if family_of(estimator, storage) == "scikit-learn" and storage != "onnx":
        return [*faults, *_kept_faults(estimator)]
    return faults


def _parameter_faults(estimator: Any) -> list[Fault]:
    """Parameters that scikit-learn itself refuses, before there is any data to fit."""
    faults = []
    for part in (estimator, *_parts(estimator)):
        if hasattr(part, "_parameter_constraints") and hasattr(part, "_validate_params"):
            try:
                part._validate_params()
            except ValueError as error:
                faults.append(Fault("estimator", f"{type(part).__name__} refuses to learn: {str(error)[:400]}"))
    return faults


def _boosted_faults(estimator: object, root: str, storage: str) -> list[Fault]:
    wanted = {"lightgbm": "LGBMClassifier", "xgboost": "XGBClassifier"}[root]
    if type(estimator).__name__ != wanted:
        return [Fault("estimator", f"{type(estimator).__name__} is no classifier", f"{root}.{wanted}")]
    if storage != "auto":
        return [Fault("storage", f"{storage!r} is for scikit-learn; {root} is kept as LightGBM's text", "auto")]
    if root == "lightgbm":
        return _objective_faults(estimator)
    if root == "xgboost":
        booster, objective = getattr(estimator, "booster", None), getattr(estimator, "objective", None)
        if booster not in (None, "gbtree"):
            return [Fault("estimator", f"booster={booster!r} cannot be kept as trees", "booster='gbtree'")]
        if objective not in (None, "binary:logistic"):
            return [Fault("estimator", f"objective={objective!r} gives no probability", "'binary:logistic'")]
    return []


def _objective_faults(estimator: Any) -> list[Fault]:
    """LightGBM takes any objective, under any of its names, and gives no probability with most of them."""
    given = {name: value for name, value in estimator.get_params().items() if name in _OBJECTIVES}
    return [
        Fault("estimator", f"{name}={value!r} gives no probability", "objective='binary', or none")
        for name, value in given.items()
        if value not in (None, "binary")
    ]


_OBJECTIVES = ("objective", "objective_type", "app", "application", "loss")


def _kept_faults(estimator: Any) -> list[Fault]:
    from tasuki.models.skops_file import ALLOWED

    parts = [estimator, *_parts(estimator)]
    names = dict.fromkeys(f"{type(one).__module__}.{type(one).__name__}" for one in parts)
    return [
        Fault(
            "estimator", f"{name} is not in the list of types that may be kept as skops", "storage='onnx', or another"
        )
        for name in names
        if name not in ALLOWED
    ]


def _parts(estimator: Any) -> list[Any]:
    """The estimators inside an estimator: steps, members, and what is calibrated."""
    found = [value for value in estimator.get_params(deep=True).values() if hasattr(value, "get_params")]
    return [one for one in found if not isinstance(one, type)]
