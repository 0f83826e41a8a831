"""Reading a model file: Python that a data scientist wrote, run once, in the training process and nowhere else."""

import ast
import hashlib
import traceback
from collections.abc import Callable, Collection
from dataclasses import MISSING, dataclass, fields, replace
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from tasuki.errors import Fault, Invalid, Missing
from tasuki.models.boosted_parameters import boosted_faults
from tasuki.models.default_answer import DefaultAnswer
from tasuki.models.definition import Model, Target, definition_faults, is_readable
from tasuki.models.estimators import estimator_faults
from tasuki.models.features import (
    Feature,
    category,
    count_over,
    cross,
    day_of_week,
    hour_of_day,
    number,
    time_part,
)


@dataclass(frozen=True)
class ModelFile:
    """A model file that was run.

    Args:
        path: Where it lies.
        model: What it defines.
        content_hash: SHA-256 (hex) of its text.
        tree: Its syntax tree, to find the line of a fault.
    """

    path: Path
    model: Model
    content_hash: str
    tree: ast.Module


def load_model_file(path: Path) -> ModelFile:
    """Runs the file and takes its `model`.

    Raises:
        Missing: When there is no such file.
        Invalid: When it has a syntax error, raises, or defines no model; naming file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Missing(f"there is no model file {path}", next_step="name a Python file that defines `model`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read", [Fault(str(path), str(error), "a text file in UTF-8")]) from error
    try:
        tree = ast.parse(text, str(path))
        code = compile(tree, str(path), "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise Invalid(f"{path} is no Python", [Fault(f"{path}:{line}", getattr(error, "msg", str(error)))]) from error
    faults = [*_import_faults(path, tree), *_call_faults(path, tree)]
    if faults:
        raise Invalid(f"{path} does not define a model", faults)
    names: dict[str, object] = {"__name__": "tasuki_model_file", "__file__": str(path)}
    try:
        exec(code, names)  # noqa: S102  running the team's own file is the purpose; artifacts never execute
    except MemoryError:
        raise  # no fault of the file: the process may not hold as much
    except (Exception, SystemExit) as error:
        line = line_in(path, error)
        raise Invalid(
            f"{path} raised {type(error).__name__}", [Fault(f"{path}:{line}", f"{type(error).__name__}: {error}")]
        ) from error
    model = names.get("model")
    if not isinstance(model, Model):
        what = "defines no `model`" if model is None else f"`model` is a {type(model).__name__}"
        where = f"{path}:{_last_line(tree) if model is None else _assigned(tree, 'model')}"
        raise Invalid(f"{path} {what}", [Fault(where, what, "model = Model(name=…, …)")])
    return ModelFile(path, model, hashlib.sha256(text.encode()).hexdigest(), tree)


def model_file_faults(file: ModelFile, table_columns: Collection[str] | None = None) -> list[Fault]:
    """Everything that is wrong with what a file defines, each with its line.

    Args:
        file: The file.
        table_columns: The columns its table has, when the table is at hand.
    """
    model = file.model
    of_estimator = estimator_faults(model.estimator, model.storage)
    if not of_estimator and is_readable(model):
        of_estimator = boosted_faults(model.estimator, tuple(model.features))
    faults = [*definition_faults(model), *of_estimator]
    placed = [placed_fault(file, fault) for fault in faults]
    if table_columns is None or not is_readable(model):
        return placed
    there = ", ".join(sorted(table_columns))
    for name in (name for name in model.columns if name not in table_columns):
        what = f"table {model.table!r} has no column {name!r}"
        placed.append(Fault(f"{file.path}:{_line_of_text(file.tree, name)}", what, there))
    for one in model.counts:
        if one.column in table_columns:
            what = f"table {model.table!r} has a column {one.column!r}, which the count would hide"
            placed.append(placed_fault(file, Fault(f"features.{one.name}", what, "another name=")))
    return placed


def check_model_file(file: ModelFile, table_columns: Collection[str] | None = None) -> None:
    """Raises `Invalid` with everything that is wrong, at once."""
    faults = model_file_faults(file, table_columns)
    if faults:
        raise Invalid(f"{file.path} has {len(faults)} fault(s)", faults)


def placed_fault(file: ModelFile, fault: Fault) -> Fault:
    """The fault with the file and line of what it is about before its place."""
    first, _, rest = fault.where.partition(".")
    line = _line_of_keyword(file.tree, first)
    if first == "estimator" and rest:
        line = _line_of_parameter(file.tree, type(file.model.estimator).__name__, rest) or line
    if first == "features" and rest:
        line = _lines_of_features(file.tree).get(rest) or _line_of_text(file.tree, rest.split("×")[0]) or line
    return replace(fault, where=f"{file.path}:{line or 1} {fault.where}")


def _lines_of_features(tree: ast.Module) -> dict[str, int]:
    """The line of each feature that is written out, by the feature's name."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
        if not isinstance(node, ast.Call) or name not in _FEATURES:
            continue
        try:
            given = [ast.literal_eval(one) for one in node.args]
            named = {one.arg: ast.literal_eval(one.value) for one in node.keywords if one.arg}
            found.setdefault(_FEATURES[name](*given, **named).name, node.lineno)
        except (ValueError, TypeError):
            continue  # not written out, or wrong: the fault is then placed at the features
    return found


_FEATURES: dict[str, Callable[..., Feature]] = {
    one.__name__: one for one in (category, count_over, cross, day_of_week, hour_of_day, number, time_part)
}


def _import_faults(path: Path, tree: ast.Module) -> list[Fault]:
    """Names that `tasuki.models` does not have: all of them, beside what is wrong with the calls."""
    import tasuki.models as ours

    faults, known = [], sorted({*_CALLED, *_FEATURES})
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == ours.__name__ and not node.level:
            for one in node.names:
                if one.name != "*" and not hasattr(ours, one.name) and find_spec(f"{ours.__name__}.{one.name}") is None:
                    close = get_close_matches(one.name, known, 1)
                    expected = f"{close[0]}?" if close else ", ".join(known)
                    faults.append(Fault(f"{path}:{one.lineno} import", f"{ours.__name__} has no {one.name}", expected))
    return faults


def _call_faults(path: Path, tree: ast.Module) -> list[Fault]:
    """Arguments of `Model` and `Target` that are missing or unknown: all of them, where Python would name the first."""
    faults = []
    for node in ast.walk(tree):
        kind = (
            _CALLED.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
            if isinstance(node, ast.Call)
            else None
        )
        if kind is None or not isinstance(node, ast.Call):
            continue
        if any(one.arg is None for one in node.keywords) or any(isinstance(one, ast.Starred) for one in node.args):
            continue  # given as a mapping: only running it shows
        known = [one.name for one in fields(kind)]
        needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
        given = {one.arg for one in node.keywords} | set(known[: len(node.args)])
        where = f"{path}:{node.lineno} {kind.__name__}"
        faults += [Fault(where, f"lacks {name}", f"{name}=…") for name in needed if name not in given]
        for one in node.keywords:
            if one.arg not in known:
                close = get_close_matches(str(one.arg), known, 1)
                expected = f"{close[0]}?" if close else ", ".join(known)
                faults.append(Fault(f"{path}:{one.value.lineno} {kind.__name__}", f"knows no {one.arg}", expected))
    return faults


_CALLED: dict[str, type[Model] | type[Target] | type[DefaultAnswer]] = {
    one.__name__: one for one in (Model, Target, DefaultAnswer)
}


def _line_of_keyword(tree: ast.Module, name: str) -> int:
    """The line of the argument `name=…` in the call of `Model`; the call's own line when it is not given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Model":
            return next((one.value.lineno for one in node.keywords if one.arg == name), node.lineno)
    return 1


def _line_of_parameter(tree: ast.Module, kind: str, name: str) -> int:
    """The line of the argument `name=…` in the call that makes an estimator; 0 when it is not written out there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == kind:
            for one in node.keywords:
                if one.arg == name:
                    return one.value.lineno
    return 0


def _line_of_text(tree: ast.Module, text: str) -> int:
    found = [one.lineno for one in ast.walk(tree) if isinstance(one, ast.Constant) and one.value == text]
    return min(found, default=0) or _line_of_keyword(tree, "features")


def _assigned(tree: ast.Module, name: str) -> int:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return node.lineno
    return 1


def _last_line(tree: ast.Module) -> int:
    return tree.body[-1].end_lineno or 1 if tree.body else 1


def line_in(path: Path, error: BaseException) -> int:
    """The line of a file that an error went through last; 1 when it never was there."""
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
    return (frames[-1].lineno if frames else None) or 1
