"""XGBoost's trees as LightGBM's text: one form to check, keep and score, with the very same splits.

XGBoost rounds a value to 32 bits and goes left when it is below the limit; LightGBM compares 64 bits and goes left when
the value is not above. The limit written here is the largest 64-bit number whose rounding is below XGBoost's limit, so
that every value takes the same way. Leaves are added in 64 bits instead of 32, which changes a score's seventh digit.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tasuki.errors import Fault, Invalid
from tasuki.models.tree_text import END

_NAN_IS_MISSING, _DEFAULT_LEFT = 8, 2


def boosted_text(document: bytes, width: int) -> str:
    """The text of a model that XGBoost wrote as JSON.

    Args:
        document: What `Booster.save_raw("json")` gives.
        width: How many columns the model was trained on.

    Raises:
        Invalid: When it is no binary logistic model of plain trees.
    """
    try:
        learner = json.loads(document)["learner"]
        trees = learner["gradient_booster"]["model"]["trees"]
        objective, booster = learner["objective"]["name"], learner["gradient_booster"]["name"]
        base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid("the XGBoost model cannot be read", [Fault("estimator", repr(error))]) from error
    if (objective, booster) != ("binary:logistic", "gbtree") or not trees or not 0 < base < 1:
        what = f"is {objective} by {booster} with {len(trees)} trees"
        raise Invalid("the XGBoost model cannot be kept", [Fault("estimator", what, "binary:logistic by gbtree")])
    margin = math.log(base / (1 - base))
    blocks = [_block(place, tree, margin if place == 0 else 0.0) for place, tree in enumerate(trees)]
    header = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(width - 1),
        "objective": "binary sigmoid:1",
        "feature_names": " ".join(f"Column_{place}" for place in range(width)),
        "feature_infos": " ".join(["[-inf:inf]"] * width),
        "tree_sizes": " ".join(str(len(block)) for block in blocks),
    }
    lines = "\n".join(f"{name}={value}" for name, value in header.items())
    return f"tree\n{lines}\n\n{''.join(blocks)}{END}"


def largest_below(limit: float) -> float:
    """The largest 64-bit number that rounds to a 32-bit number below the limit."""
    above = np.float32(limit)
    below = np.nextafter(above, np.float32(-np.inf), dtype=np.float32)
    middle = (float(below) + float(above)) / 2
    with np.errstate(over="ignore"):
        return middle if np.float32(middle) < above else float(np.nextafter(middle, -np.inf))


def _block(place: int, tree: Mapping[str, Any], added: float) -> str:
    left, right, limits = tree["left_children"], tree["right_children"], tree["split_conditions"]
    if any(tree.get("split_type") or ()):
        raise Invalid("the XGBoost model cannot be kept", [Fault("estimator", "splits by sets of categories")])
    inner, leaves = _order(left, right)
    at = {node: number for number, node in enumerate(inner)} | {node: -1 - number for number, node in enumerate(leaves)}
    decisions = [_NAN_IS_MISSING + (_DEFAULT_LEFT if tree["default_left"][node] else 0) for node in inner]
    values = [_float32(limits[node]) + added for node in leaves]
    fields = {
        "num_leaves": [len(leaves)],
        "num_cat": [0],
        "split_feature": [tree["split_indices"][node] for node in inner],
        "split_gain": [0] * len(inner),
        "threshold": [repr(largest_below(limits[node])) for node in inner],
        "decision_type": decisions,
        "left_child": [at[left[node]] for node in inner],
        "right_child": [at[right[node]] for node in inner],
        "leaf_value": [repr(value) for value in values],
        "leaf_weight": [1] * len(leaves),
        "leaf_count": [1] * len(leaves),
        "internal_value": [0] * len(inner),
        "internal_weight": [0] * len(inner),
        "internal_count": [1] * len(inner),
        "is_linear": [0],
        "shrinkage": [1],
    }
    lines = "\n".join(f"{name}={' '.join(map(str, given))}" for name, given in fields.items())
    return f"Tree={place}\n{lines}\n\n\n"


def _order(left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[int]]:
    """The inner nodes, each before its children, and the leaves, both from left to right."""
    inner, leaves, waiting = [], [], [0]
    while waiting:
        node = waiting.pop()
        if left[node] < 0:
            leaves.append(node)
            continue
        inner.append(node)
        waiting += [right[node], left[node]]
    return inner, leaves


def _float32(value: float) -> float:
    return float(np.float32(value))
