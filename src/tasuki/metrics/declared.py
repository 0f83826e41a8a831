"""The metrics a team declares in `metrics.toml`, one `[metric.NAME]` each; every fault of the file at once."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasuki.errors import Fault, Invalid, Missing
from tasuki.metrics.metric import METRIC_KINDS, Covariate, Margin, Metric
from tasuki.metrics.window import MOST_HOURS
from tasuki.metrics.winsor import read_winsor
from tasuki.titles import Titles

FILE = "metrics.toml"
_TEXTS = ("kind", "numerator", "denominator", "filter", "direction", "table", "unit", "exposure", "time", "cluster",
          "parent", "owner")  # fmt: skip
_KNOWN = frozenset((*_TEXTS, "quantile", "margin", "covariates", "title", "winsor", "window_hours"))
_NEEDED = ("kind", "numerator", "table", "unit")


def read_metrics(folder: Path) -> dict[str, Metric]:
    """The declared metrics of a workspace's folder, by name.

    Raises:
        Invalid: With every fault of the file at once.
    """
    file = folder / FILE
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Invalid(f"{file} cannot be read", [Fault(FILE, str(error), "a TOML file in UTF-8")]) from error
    faults = [Fault(name, "unknown part", "[metric.NAME]") for name in document if name != "metric"]
    declared = document.get("metric", {})
    if not isinstance(declared, Mapping):
        raise Invalid(f"{file} declares no metrics", [Fault("metric", "is no table", "[metric.NAME]")])
    metrics = {name: _metric(name, value, faults) for name, value in declared.items()}
    found = {name: metric for name, metric in metrics.items() if metric is not None}
    faults += _family_faults(found, declared)
    if faults:
        raise Invalid(f"{file} has {len(faults)} fault(s)", faults)
    return found


def metric_named(metrics: Mapping[str, Metric], name: str) -> Metric:
    """The declared metric of that name.

    Raises:
        Missing: When none is declared.
    """
    if name not in metrics:
        raise Missing(
            f"no metric {name!r} is declared",
            expected=f"one of {', '.join(sorted(metrics)) or 'the metrics in metrics.toml; there is none yet'}",
            next_step=f"declare [metric.{name}] in {FILE}",
        )
    return metrics[name]


def _metric(name: str, value: Any, faults: list[Fault]) -> Metric | None:
    where = f"metric.{name}"
    if not isinstance(value, Mapping):
        faults.append(Fault(where, "is no table", f"[{where}]"))
        return None
    before = len(faults)
    faults += [
        Fault(f"{where}.{key}", "unknown field", ", ".join(sorted(_KNOWN))) for key in value if key not in _KNOWN
    ]
    faults += [Fault(f"{where}.{key}", "missing", "a text") for key in _NEEDED if key not in value]
    texts: dict[str, Any] = {"direction": "increase", "owner": ""}
    for key in _TEXTS:
        if key in value and not (isinstance(value[key], str) and value[key].strip()):
            faults.append(Fault(f"{where}.{key}", f"{value[key]!r} is no text", "a text"))
        if key in value:
            texts[key] = value[key]
    faults += _kind_faults(where, value)
    margin = read_margin(value["margin"], f"{where}.margin", faults) if "margin" in value else None
    winsor = read_winsor(value["winsor"], f"{where}.winsor", faults) if "winsor" in value else None
    covariates, titles = _covariates(where, value, faults), _titles(where, value, faults)
    if len(faults) > before:
        return None
    found = Metric(name=name, quantile=value.get("quantile"), margin=margin, winsor=winsor, covariates=covariates,
                   titles=titles, window_hours=value.get("window_hours"), **texts)  # fmt: skip
    faults += [replace(one, where=f"{where}.{one.where}") for one in treatment_faults(found)]
    return found if len(faults) == before else None


def treatment_faults(metric: Metric) -> list[Fault]:
    """What is asked for that a metric of this kind does not have; places are the names of the fields."""
    faults, kind = [], metric.kind
    if metric.winsor is not None and kind in ("proportion", "quantile"):
        faults.append(Fault("winsor", f"a {kind} has no use for it", "a mean or ratio"))
    if metric.cluster is not None and kind == "quantile":
        faults.append(Fault("cluster", "a quantile is not compared over clusters", "a mean, proportion or ratio"))
    if kind == "quantile" and metric.covariates:
        faults.append(Fault("covariates", "a quantile is not adjusted for covariates", "a mean, proportion or ratio"))
    if any((one.numerator, one.denominator) == (metric.numerator, metric.denominator) for one in metric.covariates):
        faults.append(Fault("covariates", "the metric cannot explain itself", "what was known before the start"))
    return faults


def _kind_faults(where: str, value: Mapping[str, Any]) -> list[Fault]:
    faults = []
    kind = value.get("kind")
    if kind is not None and kind not in METRIC_KINDS:
        faults.append(Fault(f"{where}.kind", f"{kind!r} is no kind of metric", ", ".join(METRIC_KINDS)))
    if value.get("direction", "increase") not in ("increase", "decrease"):
        faults.append(Fault(f"{where}.direction", f"{value['direction']!r} is no direction", "increase or decrease"))
    if (kind == "ratio") != ("denominator" in value):
        what = "missing" if kind == "ratio" else f"a {kind} has none"
        faults.append(Fault(f"{where}.denominator", what, "an SQL expression for a ratio, and only there"))
    quantile = value.get("quantile")
    if kind == "quantile" and not (isinstance(quantile, float) and 0 < quantile < 1):
        faults.append(Fault(f"{where}.quantile", f"{quantile!r} is no quantile", "between 0 and 1, as 0.9"))
    if kind != "quantile" and quantile is not None:
        faults.append(Fault(f"{where}.quantile", f"a {kind} has none"))
    return [*faults, *_window_faults(where, value)]


def _window_faults(where: str, value: Mapping[str, Any]) -> list[Fault]:
    hours = value.get("window_hours")
    if hours is None:
        return []
    faults = []
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours < MOST_HOURS:
        faults.append(Fault(f"{where}.window_hours", f"{hours!r} are no hours", "hours above 0, as 168"))
    if "time" not in value:
        faults.append(Fault(f"{where}.window_hours", "the moment of an event is not known", "time = a column"))
    if "exposure" in value:
        what = "each event is tied to its own exposure already"
        faults.append(Fault(f"{where}.window_hours", what, "window_hours or exposure, not both"))
    return faults


def read_margin(given: float | str, where: str, faults: list[Fault]) -> Margin | None:
    """A margin from a number in the metric's unit, or from text like `0.5` or `2%` of control."""
    text = str(given).strip()
    is_relative = text.endswith("%")
    try:
        amount = float(text.removesuffix("%")) / (100 if is_relative else 1)
    except ValueError:
        amount = -1.0
    if isinstance(given, bool) or not 0 < amount < float("inf"):
        faults.append(Fault(where, f"{given!r} is no margin", "an amount above 0, as 0.01, or a share, as 2%"))
        return None
    return Margin(amount, is_relative)


def _covariates(where: str, value: Mapping[str, Any], faults: list[Fault]) -> tuple[Covariate, ...]:
    said = value.get("covariates", [])
    if not isinstance(said, list) or not all(isinstance(one, str) and one for one in said):
        faults.append(Fault(f"{where}.covariates", "is no list of texts", "SQL expressions"))
        return ()
    return tuple(Covariate(one) for one in said)


def _titles(where: str, value: Mapping[str, Any], faults: list[Fault]) -> Titles:
    said = value.get("title")
    if not isinstance(said, Mapping) or not all(isinstance(said.get(one), str) and said[one] for one in ("en", "ja")):
        faults.append(Fault(f"{where}.title", "missing in a language", "title.en and title.ja"))
        return Titles("", "")
    return Titles(said["en"], said["ja"])


def _family_faults(metrics: Mapping[str, Metric], declared: Mapping[str, Any]) -> list[Fault]:
    """Parents that are not declared, and metrics that are their own ancestors."""
    faults = []
    for name, metric in metrics.items():
        if metric.parent is not None and metric.parent not in declared:
            faults.append(Fault(f"metric.{name}.parent", f"{metric.parent!r} is not declared", ", ".join(declared)))
        seen, above = {name}, metric.parent
        while above is not None and above in metrics and above not in seen:
            seen.add(above)
            above = metrics[above].parent
        if above == name:
            faults.append(Fault(f"metric.{name}.parent", "the metric is its own ancestor", "a tree"))
    return faults
