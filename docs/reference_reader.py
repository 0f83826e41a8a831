"""Reads a tasuki artifact with NumPy alone, scores its golden examples, and says whether every score is right.

Usage: python reference_reader.py FOLDER     (…/<model>/versions/<version>)

It is the format written down as a program (docs/artifact-format.md): port it to the JVM, to Go or to whatever serves,
and prove the port with the golden examples of every version before it answers. It covers weight arrays, LightGBM's
text, skops files of logistic regression, decision trees and forests, ONNX where onnxruntime is installed, and every
kind of feature; of another estimator it says so. First it refuses what is not whole: hashes, names, files that are not
listed, trees whose indices leave their arrays or lead back. Exit code 0: all scores agree; 1: something does not.
"""

import hashlib
import json
import math
import sys
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

NULL, SEPARATOR = "\x00", "\x1f"


DIGITS = 16


def read_files(folder):
    """The files of a version, each checked against the manifest, and the manifest against the folder's name."""
    manifest = (folder / "manifest.json").read_bytes()
    if hashlib.sha256(manifest).hexdigest()[:DIGITS] != folder.name:
        raise SystemExit(f"{folder.name} is not the version of this manifest")
    document = json.loads(manifest)
    if document["format"] != "tasuki.artifact/1":
        raise SystemExit(f"{document['format']!r} is not the format that this reader knows")
    listed = document["files"]
    for name in listed:
        if not name or name in (".", "..") or set(name) & set("/\\\0"):
            raise SystemExit(f"{name!r} is no plain file name")
    for path in folder.iterdir():
        if path.name != "manifest.json" and path.name not in listed:
            raise SystemExit(f"{path.name} is not in the manifest")
    files = {}
    for name, one in listed.items():
        if not (folder / name).is_file():
            raise SystemExit(f"{name} is missing")
        files[name] = (folder / name).read_bytes()
        if len(files[name]) != one["bytes"] or hashlib.sha256(files[name]).hexdigest() != one["sha256"]:
            raise SystemExit(f"{name} is damaged")
    return files


def murmur3(text, seed):
    """MurmurHash3 x86 32-bit of the text's UTF-8 bytes, unsigned."""
    data, mask = text.encode(), 0xFFFFFFFF
    state, whole = seed & mask, len(data) // 4 * 4
    rotated = lambda value, bits: ((value << bits) | (value >> (32 - bits))) & mask  # noqa: E731
    for start in range(0, whole, 4):
        block = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 & mask
        state ^= rotated(block, 15) * 0x1B873593 & mask
        state = (rotated(state, 13) * 5 + 0xE6546B64) & mask
    tail = int.from_bytes(data[whole:], "little")
    if whole < len(data):
        state ^= rotated(tail * 0xCC9E2D51 & mask, 15) * 0x1B873593 & mask
    state ^= len(data)
    state = (state ^ (state >> 16)) * 0x85EBCA6B & mask
    state = (state ^ (state >> 13)) * 0xC2B2AE35 & mask
    return state ^ (state >> 16)


def text_of(value):
    """A category's value as text: 3, 3.0 and "3" are one, true is "true"."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def local_moment(feature, row):
    """The moment on the clock the feature is read on; None where null."""
    value = row[feature["column"]]
    if value is None:
        return None
    moment = datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)
    return moment + timedelta(hours=feature["utc_offset_hours"])


PARTS = {
    "day_of_week": lambda at: at.weekday(),
    "hour_of_week": lambda at: at.weekday() * 24 + at.hour,
    "day_of_month": lambda at: at.day,
    "month": lambda at: at.month,
}


def key_of(feature, row):
    """The key of a feature: the text that is hashed, or looked up in the vocabulary."""
    kind = feature["kind"]
    if kind == "category":
        return f"{feature['column']}={text_of(row[feature['column']])}"
    if kind == "cross":
        texts = [text_of(row[column]) for column in feature["columns"]]
        return "×".join(feature["columns"]) + "=" + SEPARATOR.join(texts)
    if kind in ("hour_of_day", "time_part"):
        at = local_moment(feature, row)
        start = f"{feature['column']}@" + ("" if kind == "hour_of_day" else f"{feature['part']}:")
        if at is None:
            return start + NULL
        return start + str(at.hour if kind == "hour_of_day" else PARTS[feature["part"]](at))
    value = row[feature["column"]]
    if value is None:
        return f"{feature['column']}#{NULL}"
    return f"{feature['column']}#" + (str(bisect_right(feature["bins"], value)) if feature["bins"] else "")


def is_plain(feature):
    """Whether the feature is a number that is used as it is."""
    return feature["kind"] in ("number", "count_over") and not feature["bins"]


def name_of(feature):
    """The name under which a feature's vocabulary is kept."""
    if feature["kind"] == "cross":
        return "×".join(feature["columns"])
    if feature["kind"] == "hour_of_day":
        return f"hour_of_day({feature['column']})"
    if feature["kind"] == "time_part":
        return f"{feature['part']}({feature['column']})"
    return feature["column"]


def sigmoid(value):
    """1 / (1 + e^-value)."""
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))


def linear_scorer(spec, files):
    """One weight per hashed key, then one per plain number, added in the order of the features."""
    import io

    weights = np.load(io.BytesIO(files["weights.npy"]), allow_pickle=False)
    plain_numbers = sum(map(is_plain, spec["features"]))
    if weights.shape != (spec["buckets"] + plain_numbers,) or not np.isfinite(weights).all():
        raise SystemExit("weights.npy: one finite weight per bucket and plain number is expected")

    def score(row):
        total = spec["intercept"]
        for feature in spec["features"]:
            total += weights[murmur3(key_of(feature, row), spec["seed"]) % spec["buckets"]]
        plain = [one for one in spec["features"] if is_plain(one)]
        for place, feature in enumerate(plain):
            value, scale = row[feature["column"]], spec["scales"][feature["column"]]
            standard = 0.0 if value is None else (value - scale["mean"]) / scale["deviation"]
            total += weights[spec["buckets"] + place] * standard
        return sigmoid(float(total))

    return score


def read_trees(text):
    """The trees of LightGBM's text, each as a mapping from a field's name to its numbers."""
    trees = []
    for block in text.partition("\n\n")[2].split("Tree=")[1:]:
        lines = [line.partition("=") for line in block.split("\n")[1:] if "=" in line]
        trees.append({name: [float(one) for one in value.split()] for name, _, value in lines})
    return trees


def require_whole(tree, number, columns):
    """Refuses a tree that would be left by an index, or walked without end.

    In a tree every node but the root has one parent. So each child may come once, and a walk from the root must reach
    all of them: then no path leads back, and each ends at a leaf.
    """

    def must(holds, what):
        if not holds:
            raise SystemExit(f"trees.txt: tree {number}: {what}")

    def whole(name, length, lowest, highest):
        values = tree.get(name, [])
        must(len(values) == length, f"{name} has {len(values)} values, expected {length}")
        inside = all(value == int(value) and lowest <= value <= highest for value in values if math.isfinite(value))
        must(inside and all(map(math.isfinite, values)), f"{name} is out of range")
        return [int(value) for value in values]

    (leaves,) = whole("num_leaves", 1, 1, 1_000_000)
    must(len(tree.get("leaf_value", [])) == leaves, f"expected {leaves} leaf values")
    must(all(map(math.isfinite, tree["leaf_value"])), "a leaf is not finite")
    nodes = leaves - 1
    if not nodes:
        return
    whole("split_feature", nodes, 0, columns - 1)
    must(len(tree.get("threshold", [])) == nodes, f"expected {nodes} thresholds")
    must(not any(map(math.isnan, tree["threshold"])), "a threshold is no number")
    decisions = whole("decision_type", nodes, 0, 15)
    sides = [whole(name, nodes, -leaves, nodes - 1) for name in ("left_child", "right_child")]
    ahead, reached = [0], set()
    while ahead:
        node = ahead.pop()
        must(node not in reached, f"node {node} is reached twice")
        reached.add(node)
        ahead += [side[node] for side in sides] if node >= 0 else []
    must(len(reached) == nodes + leaves, "a node or leaf is never reached")
    (sets,) = whole("num_cat", 1, 0, 1_000_000)
    bounds = whole("cat_boundaries", sets + 1, 0, len(tree.get("cat_threshold", []))) if sets else []
    must(bounds == sorted(bounds), "cat_boundaries go back")
    if sets:
        whole("cat_threshold", len(tree.get("cat_threshold", [])), 0, 2**32 - 1)
    for threshold, decision in zip(tree["threshold"], decisions, strict=True):
        inside = (
            threshold == int(threshold) and 0 <= threshold < sets if decision & 1 and math.isfinite(threshold) else 0
        )
        must(not decision & 1 or inside, "a set of categories is not there")


def leaf_of(tree, row):
    """The value of the leaf that a row falls into."""
    if tree["num_leaves"][0] == 1:
        return tree["leaf_value"][0]
    node = 0
    while node >= 0:
        value, decision = row[int(tree["split_feature"][node])], int(tree["decision_type"][node])
        threshold, missing = tree["threshold"][node], decision >> 2 & 3
        if decision & 1:
            first, end = (int(tree["cat_boundaries"][int(threshold) + step]) for step in (0, 1))
            words = tree["cat_threshold"][first:end]
            code = -1 if math.isnan(value) else int(value)
            left = 0 <= code < 32 * len(words) and bool(int(words[code // 32]) >> code % 32 & 1)
        else:
            if math.isnan(value) and missing != 2:
                value = 0.0
            if (missing == 1 and abs(value) <= 1e-35) or (missing == 2 and math.isnan(value)):
                left = bool(decision & 2)
            else:
                left = value <= threshold
        node = int(tree["left_child" if left else "right_child"][node])
    return tree["leaf_value"][-1 - node]


def trees_scorer(spec, files):
    """The sigmoid of the leaves' sum; a key that is in no vocabulary gets the code after the last."""
    text = files["trees.txt"].decode()
    try:
        trees = read_trees(text)
    except ValueError as error:
        raise SystemExit(f"trees.txt: {error}") from None
    for number, tree in enumerate(trees):
        require_whole(tree, number, len(spec["features"]))
    slope = float(text.partition("objective=binary sigmoid:")[2].partition("\n")[0])

    def score(row):
        values = []
        for feature in spec["features"]:
            if is_plain(feature):
                value = row[feature["column"]]
                values.append(math.nan if value is None else float(value))
            else:
                codes = spec["vocabularies"][name_of(feature)]
                values.append(float(codes.get(key_of(feature, row), len(codes))))
        return sigmoid(slope * sum(leaf_of(tree, values) for tree in trees))

    return score


def matrix_row(spec, row):
    """The row of an estimator's matrix: codes, or one column for each code that a key may have."""
    values = []
    for feature in spec["features"]:
        if is_plain(feature):
            value = row[feature["column"]]
            values.append(math.nan if value is None else float(value))
            continue
        codes = spec["vocabularies"][name_of(feature)]
        code = codes.get(key_of(feature, row), len(codes))
        if spec["layout"] == "codes":
            values.append(float(code))
        else:
            values += [1.0 if place == code else 0.0 for place in range(len(codes))]
    return values


class Uncovered(Exception):
    """An estimator that this reader does not compute."""


def skops_value(node, archive):
    """What a node of a skops file describes: numbers, arrays, lists, and objects as class name and attributes."""
    kind = node["__loader__"]
    if kind == "JsonNode":
        return json.loads(node["content"])
    if kind == "NdArrayNode" and node.get("type") == "numpy":
        import io

        return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
    if kind == "DictNode":
        return {name: skops_value(one, archive) for name, one in node["content"].items()}
    if kind in ("ListNode", "TupleNode"):
        return [skops_value(one, archive) for one in node["content"]]
    if kind in ("ObjectNode", "TreeNode") and isinstance(node.get("content"), dict):
        return node["__class__"], skops_value(node["content"], archive)
    return None  # what scoring does not need: generators, types, losses


def tree_scorer(tree, positive):
    """The share of positives in the leaf of a scikit-learn tree, which reads its inputs as 32-bit numbers."""
    nodes, shares = tree["nodes"], tree["values"][:, 0, :]
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    inner = left >= 0
    places = np.arange(len(nodes))
    if not all((side[inner] > places[inner]).all() and (side[inner] < len(nodes)).all() for side in (left, right)):
        raise SystemExit("estimator.skops: a tree's children lead outside, or back")

    def score(values):
        node = 0
        while inner[node]:
            value = np.float32(values[feature[node]])
            missing = bool(nodes["missing_go_to_left"][node])
            node = (left if (missing if np.isnan(value) else value <= nodes["threshold"][node]) else right)[node]
        return float(shares[node][positive] / shares[node].sum())

    return score


def skops_scorer(content):
    """The probability of a row's matrix by a logistic regression, a decision tree or a forest."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        kind, one = skops_value(json.loads(archive.read("schema.json")), archive)
    positive = list(one.get("classes_", ())).index(True) if "classes_" in one else 1
    if kind == "LogisticRegression" and len(one["coef_"]) == 1:
        return lambda values: sigmoid(float(np.dot(one["coef_"][0], values) + one["intercept_"][0]))
    if kind in ("DecisionTreeClassifier", "ExtraTreeClassifier"):
        return tree_scorer(one["tree_"][1], positive)
    if kind in ("RandomForestClassifier", "ExtraTreesClassifier"):
        trees = [tree_scorer(tree["tree_"][1], positive) for _, tree in one["estimators_"]]
        return lambda values: sum(tree(values) for tree in trees) / len(trees)
    raise Uncovered(f"{kind} kept as skops needs scikit-learn and skops")


def onnx_scorer(content):
    """The probability of a row's matrix by onnxruntime, in 32 bits."""
    try:
        import onnxruntime
    except ImportError:
        raise Uncovered("ONNX needs onnxruntime, which is not installed") from None
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    output = session.get_outputs()[-1].name
    return lambda values: float(session.run([output], {"x": np.asarray([values], dtype=np.float32)})[0][0, 1])


def estimator_scorer(spec, files):
    """The estimator's probability for the row's matrix."""
    storage = spec["storage"]
    score = {"skops": skops_scorer, "onnx": onnx_scorer}[storage](files[f"estimator.{storage}"])
    return lambda row: score(matrix_row(spec, row))


def main(folder):
    """Scores every golden example and returns the exit code."""
    files = read_files(folder)
    spec, golden = (json.loads(files[name]) for name in ("features.json", "golden.json"))
    makers = {"linear": linear_scorer, "trees": trees_scorer, "estimator": estimator_scorer}
    try:
        score = makers[spec["kind"]](spec, files)
    except Uncovered as error:
        print(f"not covered by this reader: {error}")
        return 1
    wrong = 0
    for place, example in enumerate(golden["examples"]):
        given = score(example["row"])
        if not abs(given - example["score"]) <= golden["tolerance"]:
            wrong += 1
            print(f"example {place}: {given!r}, expected {example['score']!r}")
    print(f"{len(golden['examples']) - wrong} of {len(golden['examples'])} golden examples agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
