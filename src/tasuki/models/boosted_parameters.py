"""Parameters that LightGBM or XGBoost would refuse, or pass over in silence: found before any row is read.

Both libraries look at most parameters only when they learn, and of an unknown name they print a line at most. So the
names are held against the library's own list, and the estimator learns once from a few made-up rows of the model's
shape; what it refuses is put back to its default, and it learns again, until every fault is known.
"""

import contextlib
import ctypes
import io
import json
import math
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.errors import Fault
from tasuki.models.estimators import Family, family_of
from tasuki.models.features import Feature
from tasuki.models.trees import is_plain

ROWS = 64
ROUNDS = 2
"""As many trees show whether the parameters are taken; how many are wanted is looked at by itself."""
_UNUSED = re.compile(r"Parameters: \{(.*?)\} are not used", re.DOTALL)
_IGNORED = re.compile(r"(\w+) is set.*?, (\w+)=\S* will be ignored")
_SOURCE = re.compile(r"^\[[0-9:]+\] \S+: |\s+at /\S+, line [0-9]+ \.")
_XGBOOST_NAMES = {"random_state": "seed", "eta": "learning_rate", "n_jobs": "nthread"}
_NO_PARAMETER = ("missing",)
"""What may be NaN: XGBoost's mark of an empty cell."""


def boosted_faults(estimator: Any, features: tuple[Feature, ...]) -> list[Fault]:
    """What is wrong with the parameters of a LightGBM or XGBoost estimator that has no other fault; none of others.

    Args:
        estimator: The model's estimator.
        features: The model's features, for parameters that speak of each.
    """
    family = family_of(estimator)
    if family not in ("lightgbm", "xgboost"):
        return []
    from sklearn.base import clone

    tried = clone(estimator)
    faults = list(_plain_faults(tried))
    if family == "lightgbm":
        faults += [*_unknown(tried), *_monotone(tried, features)]
    for fault in faults:
        _reset(tried, fault.where.partition(".")[2])
    for _ in range(len(_given(tried)) + 1):
        found = list(_trial(tried, family, features))
        faults += found
        places = [name for fault in found if (name := fault.where.partition(".")[2])]
        for name in places:
            _reset(tried, name)
        if not places:
            break
    return list(dict.fromkeys(faults))


def _trial(tried: Any, family: Family, features: tuple[Feature, ...]) -> Iterator[Fault]:
    """What one attempt to learn from made-up rows brings to light."""
    keyed = [place for place, feature in enumerate(features) if not is_plain(feature)]
    labels = np.arange(ROWS) % 2 == 0
    options: dict[str, Any] = {}
    if family == "lightgbm":
        for name in _aliases_of("verbosity", tried) & _strange(tried):
            _reset(tried, name)  # it would hide what is looked for
        tried.set_params(n_jobs=1, verbose=0)
        options["categorical_feature"] = keyed or "auto"
    else:
        tried.set_params(n_jobs=1, verbosity=1, validate_parameters=True)
    _shorten(tried)
    given, printed = _given(tried), io.StringIO()
    with warnings.catch_warnings(record=True) as warned, contextlib.redirect_stdout(printed):
        warnings.simplefilter("always")
        try:
            tried.fit(_rows(len(features), keyed), labels, **options)
        except MemoryError:
            raise
        except Exception as error:  # each library has errors of its own, and Python's come through from both
            said = _SOURCE.sub("", str(error).partition("Stack trace:")[0].strip())
            what = f"{type(tried).__name__} refuses to learn: {' '.join(said.split())[:400]}"
            yield Fault(_place(_named_in(said, tried)), what)
    for kept, name in _IGNORED.findall(printed.getvalue()):
        others = (_aliases_of(name, tried) - {name}) & set(tried.get_params())
        # Of two names, LightGBM takes the one that it calls the parameter by, also by its default.
        if name in given and others:
            yield Fault(_place(name), f"{type(tried).__name__} passes over {name}: {kept} counts", f"{kept}=…")
    unused = [name for one in warned for found in _UNUSED.findall(str(one.message)) for name in found.split(",")]
    for name in (one.strip().strip('"') for one in unused):
        yield _unknown_name(tried, name, [one for one in tried.get_params() if one not in _strange(tried)])


def _rows(width: int, keyed: list[int]) -> npt.NDArray[np.float64]:
    matrix = np.repeat(np.linspace(-1.0, 1.0, ROWS)[:, None], max(width, 1), axis=1)
    matrix[:, keyed] = (np.arange(ROWS) % 3)[:, None]
    return matrix


def _plain_faults(tried: Any) -> Iterator[Fault]:
    """What neither library looks at, or only in words that do not say which parameter is meant."""
    for name, value in _given(tried).items():
        # NumPy's whole numbers are Integral, too.
        is_whole = isinstance(value, Integral) and not isinstance(value, bool)
        if name in _rounds(tried) and not (is_whole and int(value) > 0):
            yield Fault(_place(name), f"{value!r} is no number of trees", "a whole number from 1")
        elif isinstance(value, float) and math.isnan(value) and name not in _NO_PARAMETER:
            yield Fault(_place(name), f"{name} is NaN", "a number")


def _monotone(tried: Any, features: tuple[Feature, ...]) -> Iterator[Fault]:
    """A category has no order that a score could follow. LightGBM ends the whole process over it."""
    for name in _aliases_of("monotone_constraints", tried) & _given(tried).keys():
        value = tried.get_params()[name]
        parts = value.split(",") if isinstance(value, str) else value if isinstance(value, Iterable) else ()
        for feature, wanted in zip(features, parts, strict=False):
            if str(wanted).strip() not in ("0", "0.0") and not is_plain(feature):
                yield Fault(_place(name), f"{feature.name} is a category: no score can rise with it", "0 at its place")


def _unknown(tried: Any) -> Iterator[Fault]:
    known = {alias for names in _aliases().values() for alias in names}
    for name in _given(tried):
        if name in _strange(tried) and name not in known:
            yield _unknown_name(tried, name, sorted(known | tried.get_params().keys() - {name}))


def _unknown_name(tried: Any, name: str, known: list[str]) -> Fault:
    close = get_close_matches(name, known, 1, cutoff=0.7)
    what = f"{type(tried).__name__} does not use {name}"
    return Fault(_place(name), what, f"{close[0]}?" if close else "a parameter that the library knows, or none")


def _named_in(message: str, tried: Any) -> str:
    """The parameter that a message is about: by any of its names, or failing that by its value; empty when unclear."""
    given = _given(tried)
    words = set(re.findall(r"\w+", message.replace("early stopping", "early_stopping_rounds")))
    for name in given:
        if words & ({name, _XGBOOST_NAMES.get(name, name)} | _aliases_of(name, tried)):
            return name
    return next((name for name, value in given.items() if isinstance(value, str) and value in words), "")


def _given(tried: Any) -> dict[str, Any]:
    """The parameters that differ from the estimator's defaults."""
    defaults = type(tried)().get_params()
    ours = ("verbose", "verbosity", "n_jobs", "validate_parameters")
    return {
        name: value
        for name, value in tried.get_params().items()
        if name not in ours and value is not None and (name not in defaults or value is not defaults[name])
    }


def _strange(tried: Any) -> set[str]:
    """The names that the estimator's class does not know; it hands them on as they are."""
    return set(tried.get_params()) - set(type(tried)().get_params())


def _reset(tried: Any, name: str) -> None:
    defaults = type(tried)().get_params()
    if name in defaults:
        tried.set_params(**{name: defaults[name]})
        return
    for kept in ("_other_params", "kwargs"):
        (getattr(tried, kept, None) or {}).pop(name, None)
    vars(tried).pop(name, None)


def _rounds(tried: Any) -> set[str]:
    """Every name for the number of trees."""
    return {"n_estimators"} | _aliases_of("n_estimators", tried)


def _shorten(tried: Any) -> None:
    names = _rounds(tried) & tried.get_params().keys()
    tried.set_params(**dict.fromkeys(names, ROUNDS))


def _aliases_of(name: str, tried: Any) -> set[str]:
    if family_of(tried) != "lightgbm":
        return set()
    found: list[str] = next((names for names in _aliases().values() if name in names), [])
    return set(found)


@cache
def _aliases() -> Mapping[str, list[str]]:
    """LightGBM's own list of its parameters, each with all its names."""
    from lightgbm.basic import _LIB  # type: ignore[attr-defined]  # the package offers the list nowhere else

    size, text = ctypes.c_int64(1 << 20), ctypes.create_string_buffer(1 << 20)
    wanted = ctypes.c_int64()
    _LIB.LGBM_DumpParamAliases(size, ctypes.byref(wanted), text)
    listed: dict[str, list[str]] = json.loads(text.value.decode())
    return {name: [name, *others] for name, others in listed.items()}


def _place(name: str) -> str:
    return f"estimator.{name}" if name else "estimator"
