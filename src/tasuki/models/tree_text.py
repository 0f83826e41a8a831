"""LightGBM's text format, checked line by line before its own parser sees it.

That parser trusts sizes and indices and ends the whole process on text it does not understand. Here every line must be
one that LightGBM writes, every array as long as the tree says, every index inside its array, and nothing may follow.
"""

import math
import re
from collections.abc import Mapping

from tasuki.errors import Fault, Invalid

END = "end of trees\n"
_NAME = "Column_{}"
_HEADER = (
    "version",
    "num_class",
    "num_tree_per_iteration",
    "label_index",
    "max_feature_idx",
    "objective",
    "feature_names",
    "feature_infos",
    "tree_sizes",
)
_OF_NODES = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_CATEGORIES = ("cat_boundaries", "cat_threshold")
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_INTERNAL = ("internal_value", "internal_weight", "internal_count")
_OBJECTIVE = re.compile(r"binary sigmoid:\d+(\.\d+)?")
_INTEGER = re.compile(r"-?\d{1,10}")
_DECIMAL = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d{1,3})?|-?inf|nan")
_LARGEST = 2**31 - 1


def trimmed(text: str) -> str:
    """A text as LightGBM wrote it, up to the end of the trees: what follows is not needed for scoring."""
    return text[: text.index(END) + len(END)]


def check_text(text: str, width: int) -> None:
    """Checks a trimmed text of a binary model over `width` features.

    Raises:
        Invalid: Naming what does not fit.
    """
    try:
        _check(text, width)
    except _Unfit as error:
        raise Invalid("the LightGBM text cannot be trusted", [Fault(error.where, error.what)]) from error


class _Unfit(ValueError):
    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


def _check(text: str, width: int) -> None:
    if not text.isascii() or "\r" in text or "\0" in text:
        raise _Unfit("text", "holds characters that LightGBM does not write")
    header, mark, rest = text.partition("\n\n")
    if not mark:
        raise _Unfit("header", "does not end")
    fields = _fields("header", header.removeprefix("tree\n").split("\n"), _HEADER)
    if not header.startswith("tree\n"):
        raise _Unfit("header", "does not begin with tree")
    wanted = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(width - 1),
        "feature_names": " ".join(_NAME.format(place) for place in range(width)),
    }
    for name, value in wanted.items():
        if fields[name] != value:
            raise _Unfit(f"header {name}", f"is {fields[name][:40]!r}, not {value[:40]!r}")
    if not _OBJECTIVE.fullmatch(fields["objective"]):
        raise _Unfit("header objective", "is not binary")
    if len(fields["feature_infos"].split(" ")) != width:
        raise _Unfit("header feature_infos", f"are not {width}")
    sizes = _integers("header tree_sizes", fields["tree_sizes"])
    if not sizes or min(sizes) < 1 or sum(sizes) + len(END) != len(rest) or not rest.endswith(END):
        raise _Unfit("header tree_sizes", "do not fit the trees")
    start = 0
    for number, size in enumerate(sizes):
        _check_tree(number, rest[start : start + size], width)
        start += size


def _check_tree(number: int, block: str, width: int) -> None:
    where = f"tree {number}"
    if not block.startswith(f"Tree={number}\n") or not block.endswith("\n\n\n"):
        raise _Unfit(where, "does not begin or end where tree_sizes say")
    lines = block.removeprefix(f"Tree={number}\n")[:-3].split("\n")
    has_categories = any(line.startswith("cat_boundaries=") for line in lines)
    arrays_named = (*_OF_NODES, *_OF_LEAVES, *_INTERNAL)
    sets_named = _CATEGORIES if has_categories else ()
    fields = _fields(where, lines, ("num_leaves", "num_cat", *arrays_named, *sets_named, "is_linear", "shrinkage"))
    leaves, categorical = (_one(f"{where} {name}", fields[name]) for name in ("num_leaves", "num_cat"))
    if leaves < 1 or fields["is_linear"] != "0" or has_categories != (categorical > 0):
        raise _Unfit(where, "num_leaves, num_cat or is_linear does not fit")
    arrays = {name: _decimals(f"{where} {name}", fields[name]) for name in arrays_named}
    _decimals(f"{where} shrinkage", fields["shrinkage"])
    for name, values in arrays.items():
        length = leaves if name in _OF_LEAVES else leaves - 1
        if len(values) != length and not (leaves == 1 and name == "leaf_weight" and not values):
            raise _Unfit(f"{where} {name}", f"has {len(values)} values, not {length}")
    if not all(map(math.isfinite, arrays["leaf_value"])):
        raise _Unfit(f"{where} leaf_value", "is not finite")
    if leaves > 1:
        _check_nodes(where, fields, width, leaves)
    if has_categories:
        _check_categories(where, fields, categorical)


def _check_nodes(where: str, fields: Mapping[str, str], width: int, leaves: int) -> None:
    features = _integers(f"{where} split_feature", fields["split_feature"])
    if any(not 0 <= one < width for one in features):
        raise _Unfit(f"{where} split_feature", f"is outside 0 to {width - 1}")
    decisions = _integers(f"{where} decision_type", fields["decision_type"])
    if any(not 0 <= one < 16 for one in decisions):
        raise _Unfit(f"{where} decision_type", "is unknown")
    if any(one & 1 for one in decisions) and fields["num_cat"] == "0":
        raise _Unfit(f"{where} decision_type", "decides by a category, and the tree has none")
    left = _integers(f"{where} left_child", fields["left_child"])
    right = _integers(f"{where} right_child", fields["right_child"])
    ascending = all(one < 0 or one > node for node, one in [*enumerate(left), *enumerate(right)])
    if not ascending or sorted([*left, *right]) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise _Unfit(f"{where} left_child, right_child", "do not lead to each leaf and node once")


def _check_categories(where: str, fields: Mapping[str, str], categorical: int) -> None:
    bounds = _integers(f"{where} cat_boundaries", fields["cat_boundaries"])
    words = _integers(f"{where} cat_threshold", fields["cat_threshold"], 2**32 - 1)
    if len(bounds) != categorical + 1 or bounds[0] != 0 or bounds != sorted(bounds) or bounds[-1] != len(words):
        raise _Unfit(f"{where} cat_boundaries", "do not fit num_cat and cat_threshold")
    if any(word < 0 for word in words):
        raise _Unfit(f"{where} cat_threshold", "is negative")
    decisions = _integers(f"{where} decision_type", fields["decision_type"])
    for decision, limit in zip(decisions, fields["threshold"].split(" "), strict=True):
        if decision & 1 and not (_INTEGER.fullmatch(limit) and 0 <= int(limit) < categorical):
            raise _Unfit(f"{where} threshold", "names a category set that is not there")


def _fields(where: str, lines: list[str], names: tuple[str, ...]) -> dict[str, str]:
    """The fields of a block, which must be exactly these, in this order."""
    found = [line.partition("=") for line in lines]
    if tuple(name for name, _, _ in found) != names or any(mark != "=" for _, mark, _ in found):
        raise _Unfit(where, f"does not hold {', '.join(names)}")
    return {name: value for name, _, value in found}


def _one(where: str, text: str) -> int:
    values = _integers(where, text)
    if len(values) != 1:
        raise _Unfit(where, "is not one number")
    return values[0]


def _integers(where: str, text: str, largest: int = _LARGEST) -> list[int]:
    parts = text.split(" ") if text else []
    if any(not _INTEGER.fullmatch(part) or abs(int(part)) > largest for part in parts):
        raise _Unfit(where, "holds something else than whole numbers")
    return [int(part) for part in parts]


def _decimals(where: str, text: str) -> list[float]:
    parts = text.split(" ") if text else []
    if any(not _DECIMAL.fullmatch(part) for part in parts):
        raise _Unfit(where, "holds something else than numbers")
    return [float(part) for part in parts]
