"""The metrics a team declares in `metrics.toml`, one `[metric.NAME]` each; every fault of the file at once."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from tasuki.errors import Fault, Invalid, Missing, said
from tasuki.metrics.blocks import read_blocks
from tasuki.metrics.metric import METRIC_KINDS, Covariate, Margin, Metric
from tasuki.metrics.window import MOST_HOURS
from tasuki.metrics.winsor import read_winsor
from tasuki.titles import Titles

FILE = "metrics.toml"
_TEXTS = ("kind", "numerator", "denominator", "filter", "direction", "table", "unit", "exposure", "time", "cluster",
          "parent", "owner")  # fmt: skip
_KNOWN = frozenset((*_TEXTS, "quantile", "margin", "covariates", "title", "winsor", "window_hours"))
_NEEDED = ("kind", "numerator", "table", "unit")


@dataclass(frozen=True)
class Declared:
    """What a team's file says, as far as it can be understood.

    Args:
        metrics: The metrics without a fault, by name.
        values: What is written of every metric, sound or not.
        faults: Everything that is wrong with the file.
    """

    metrics: Mapping[str, Metric]
    values: Mapping[str, Mapping[str, Any]]
    faults: tuple[Fault, ...]


def read_metrics(folder: Path) -> dict[str, Metric]:
    """The declared metrics of a workspace's folder, by name.

    Raises:
        Invalid: With every fault of the file at once.
    """
    declared = examine_metrics(folder)
    if declared.faults:
        raise Invalid(
            said("{folder} has {count} fault(s)", folder=folder / FILE, count=len(declared.faults)), declared.faults
        )
    return dict(declared.metrics)


def examine_metrics(folder: Path) -> Declared:
    """What the file of a workspace's folder says, and every fault of it. One metric's fault hides no other's."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return Declared({}, {}, ())
    except (UnicodeDecodeError, OSError) as error:
        return Declared({}, {}, (Fault(FILE, str(error), "a TOML file in UTF-8"),))
    return _understood(text)


@lru_cache(maxsize=8)  # every page that names a metric asks, and the file seldom changes
def _understood(text: str) -> Declared:
    faults: list[Fault] = []
    document = read_blocks(text, FILE, faults)
    faults += [Fault(name, "unknown part", "[metric.NAME]") for name in document if name != "metric"]
    said = document.get("metric", {})
    if not isinstance(said, Mapping):
        return Declared({}, {}, (*faults, Fault("metric", "is no table", "[metric.NAME]")))
    metrics = {name: _metric(name, value, faults) for name, value in said.items()}
    values = {name: value for name, value in said.items() if isinstance(value, Mapping)}
    faults += [*_family_faults(values), *_same_titles(values)]
    return Declared({name: one for name, one in metrics.items() if one is not None}, values, tuple(faults))


def metric_named(metrics: Mapping[str, Metric], name: str) -> Metric:
    """The declared metric of that name.

    Raises:
        Missing: When none is declared.
    """
    if name not in metrics:
        raise Missing(
            said("no metric {name!r} is declared", name=name),
            expected=said(
                "one of {metrics}",
                metrics=tuple(sorted(metrics)) or said("the metrics in metrics.toml; there is none yet"),
            ),
            next_step=said("declare [metric.{name}] in {file}", name=name, file=FILE),
        )
    return metrics[name]


def _metric(name: str, value: Any, faults: list[Fault]) -> Metric | None:
    where = f"metric.{name}"
    if not isinstance(value, Mapping):
        faults.append(Fault(where, "is no table", f"[{where}]"))
        return None
    before = len(faults)
    faults += [
        Fault(f"{where}.{key}", said("unknown field{hint}", hint=_hint(key, _KNOWN)), ", ".join(sorted(_KNOWN)))
        for key in value
        if key not in _KNOWN
    ]
    faults += [Fault(f"{where}.{key}", "missing", "a text") for key in _NEEDED if key not in value]
    texts: dict[str, Any] = {"direction": "increase", "owner": ""}
    for key in _TEXTS:
        if key in value and not (isinstance(value[key], str) and value[key].strip()):
            faults.append(Fault(f"{where}.{key}", said("{value!r} is no text", value=value[key]), "a text"))
        elif key in value:
            texts[key] = value[key]
    faults += _kind_faults(where, value)
    margin = read_margin(value["margin"], f"{where}.margin", faults) if "margin" in value else None
    winsor = read_winsor(value["winsor"], f"{where}.winsor", faults) if "winsor" in value else None
    covariates, titles = _covariates(where, value, faults), _titles(where, value, faults)
    if not {"kind", "numerator"} <= texts.keys():
        return None
    found = Metric(name=name, quantile=value.get("quantile"), margin=margin, winsor=winsor, covariates=covariates,
                   titles=titles, window_hours=value.get("window_hours"), **texts)  # fmt: skip
    faults += [replace(one, where=f"{where}.{one.where}") for one in treatment_faults(found)]
    return found if len(faults) == before else None


def treatment_faults(metric: Metric) -> list[Fault]:
    """What is asked for that a metric of this kind does not have; places are the names of the fields."""
    faults, kind = [], metric.kind
    if metric.winsor is not None and kind in ("proportion", "quantile"):
        faults.append(Fault("winsor", said("a {kind} has no use for it", kind=kind), "a mean or ratio"))
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
        faults.append(Fault(f"{where}.kind", said("{kind!r} is no kind of metric", kind=kind), ", ".join(METRIC_KINDS)))
    if value.get("direction", "increase") not in ("increase", "decrease"):
        faults.append(
            Fault(
                f"{where}.direction",
                said("{direction!r} is no direction", direction=value["direction"]),
                "increase or decrease",
            )
        )
    if (kind == "ratio") != ("denominator" in value):
        what = "missing" if kind == "ratio" else f"a {kind} has none"
        faults.append(Fault(f"{where}.denominator", what, "an SQL expression for a ratio, and only there"))
    quantile = value.get("quantile")
    if kind == "quantile" and not (isinstance(quantile, float) and 0 < quantile < 1):
        faults.append(
            Fault(
                f"{where}.quantile", said("{quantile!r} is no quantile", quantile=quantile), "between 0 and 1, as 0.9"
            )
        )
    if kind != "quantile" and quantile is not None:
        faults.append(Fault(f"{where}.quantile", said("a {kind} has none", kind=kind)))
    return [*faults, *_window_faults(where, value)]


def _window_faults(where: str, value: Mapping[str, Any]) -> list[Fault]:
    hours = value.get("window_hours")
    if hours is None:
        return []
    faults = []
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours < MOST_HOURS:
        faults.append(
            Fault(f"{where}.window_hours", said("{hours!r} are no hours", hours=hours), "hours above 0, as 168")
        )
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
        faults.append(
            Fault(where, said("{given!r} is no margin", given=given), "an amount above 0, as 0.01, or a share, as 2%")
        )
        return None
    if is_relative and amount > 1:
        faults.append(Fault(where, said("{given!r} is more than all of it", given=given), "a share of at most 100%"))
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
    given = said if isinstance(said, Mapping) else {}
    texts = {one: given.get(one) for one in ("en", "ja")}
    missing = [one for one, text in texts.items() if not (isinstance(text, str) and text.strip())]
    faults += [Fault(f"{where}.title.{one}", "missing in this language", "a text") for one in missing]
    return Titles("", "") if missing else Titles(str(texts["en"]), str(texts["ja"]))


def _family_faults(values: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    """Parents that are not declared, and metrics that are their own ancestors."""
    faults = []
    parents = {name: one["parent"] for name, one in values.items() if isinstance(one.get("parent"), str)}
    for name, parent in parents.items():
        where = f"metric.{name}.parent"
        if parent not in values:
            what = f"{parent!r} is not declared{_hint(parent, values)}"
            faults.append(Fault(where, what, ", ".join(values)))
        line = [name]
        while (above := parents.get(line[-1])) is not None and above not in line:
            line.append(above)
        if above == name:
            what = "the metric is its own ancestor: " + " → ".join((*line, name))
            faults.append(Fault(where, what, "a tree"))
    return faults


def _same_titles(values: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    faults, first = [], dict[tuple[str, str], str]()
    for name, value in values.items():
        said = value.get("title")
        for language, text in said.items() if isinstance(said, Mapping) else ():
            known = first.setdefault((language, str(text).strip()), name)
            if known != name and str(text).strip():
                what = f"{text!r} is the title of {known} as well"
                faults.append(Fault(f"metric.{name}.title.{language}", what, "a title of its own"))
    return faults


def _hint(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return said("; did you mean {name!r}?", name=close[0]) if close else ""
