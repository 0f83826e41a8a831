"""scikit-learn estimators as ONNX: a graph of listed operators, checked before the runtime sees it.

ONNX computes in 32 bits. The written file is what serves, so its own scores are the golden ones; training compares
them with scikit-learn's and refuses a file that differs by more than `LARGEST_DIFFERENCE`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.errors import Fault, Invalid, Unavailable

LARGEST_DIFFERENCE = 1e-5
ONNX_TOLERANCE = 1e-6
"""How far a batch and a row may differ: 32-bit sums in another order."""

_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_OPSET = {"": 18, "ai.onnx.ml": 3}
_REFUSED = frozenset({"If", "Loop", "Scan", "SequenceMap"})
_INPUT = "x"


def dump_onnx(estimator: Any, matrix: npt.NDArray[np.float64]) -> bytes:
    """A fitted estimator as an ONNX file.

    Raises:
        Unavailable: When the package skl2onnx is not installed.
        Invalid: When the estimator has no ONNX form, or its scores there differ from its own.
    """
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise Unavailable("ONNX is not installed", next_step="pip install 'tasuki[onnx]'") from error
    width = matrix.shape[1]
    try:
        graph = convert_sklearn(
            estimator,
            name="model",
            initial_types=[(_INPUT, FloatTensorType([None, width]))],
            options={id(estimator): {"zipmap": False}},
            target_opset=_OPSET,
        )
    except Exception as error:
        raise Invalid(
            f"{type(estimator).__name__} has no ONNX form",
            [Fault("estimator", str(error).strip().split("\n")[0][:200])],
        ) from error
    content: bytes = graph.SerializeToString(deterministic=True)
    own = estimator.predict_proba(matrix)[:, 1]
    difference = float(np.abs(load_onnx(content, width)(matrix) - own).max())
    if not difference <= LARGEST_DIFFERENCE:
        what = f"scores in ONNX differ from {type(estimator).__name__}'s own by up to {difference:.3g}"
        raise Invalid("ONNX does not give the estimator's scores", [Fault("storage", what, f"{LARGEST_DIFFERENCE}")])
    return content


def load_onnx(content: bytes, width: int) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """The function from a matrix to probabilities, after the graph was checked.

    Raises:
        Unavailable: When the package onnxruntime is not installed.
        Invalid: Naming what cannot be trusted or does not fit.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise Unavailable("ONNX is not installed", next_step="pip install 'tasuki[onnx]'") from error
    try:
        model = onnx.load_model_from_string(content)
        faults = _faults(model, width)
        if not faults:
            onnx.checker.check_model(model)
    except Exception as error:
        raise Invalid("the ONNX file cannot be read", [Fault("estimator.onnx", str(error)[:300])]) from error
    if faults:
        raise Invalid("the ONNX file cannot be trusted", [Fault("estimator.onnx", one) for one in faults[:10]])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Invalid("the ONNX file cannot be used", [Fault("estimator.onnx", str(error)[:300])]) from error
    output = session.get_outputs()[-1].name

    def predict(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        with np.errstate(over="ignore"):
            given = matrix.astype(np.float32)
        scores: npt.NDArray[np.float64] = session.run([output], {_INPUT: given})[0][:, 1].astype(np.float64)
        return scores

    return predict


def _faults(model: Any, width: int) -> list[str]:
    graph = model.graph
    faults = [f"uses the operators of {one.domain!r}" for one in model.opset_import if one.domain not in _DOMAINS]
    faults += [f"uses {node.domain}:{node.op_type}" for node in graph.node if node.domain not in _DOMAINS]
    faults += [f"holds {node.op_type}" for node in graph.node if node.op_type in _REFUSED]
    if model.functions:
        faults.append("defines functions of its own")
    if any(tensor.external_data or tensor.data_location for tensor in graph.initializer):
        faults.append("reads other files")
    inputs = [(one.name, [dim.dim_value for dim in one.type.tensor_type.shape.dim]) for one in graph.input]
    if [name for name, _ in inputs] != [_INPUT] or inputs[0][1][-1:] != [width]:
        faults.append(f"takes {inputs}, not {_INPUT} of {width} columns")
    for node in graph.node:
        if node.op_type in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
            faults += _tree_faults(node, width)
    return faults


def _tree_faults(node: Any, width: int) -> list[str]:
    """The runtime trusts the indices of trees less than others do; they are walked all the same."""
    given = {one.name: one for one in node.attribute}
    names = ("nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids", "nodes_featureids")
    if any(name not in given for name in (*names, "nodes_modes")):
        return ["a tree lacks its nodes"]
    trees, nodes, true, false, features = (list(given[name].ints) for name in names)
    modes = list(given["nodes_modes"].strings)
    if len({len(one) for one in (trees, nodes, true, false, features, modes)}) != 1:
        return ["a tree's arrays differ in length"]
    there = set(zip(trees, nodes, strict=True))
    inner = [place for place, mode in enumerate(modes) if mode != b"LEAF"]
    if len(there) != len(trees):
        return ["a tree names a node twice"]
    for place in inner:
        for child in (true[place], false[place]):
            if (trees[place], child) not in there or child <= nodes[place]:
                return ["a tree's children lead outside, or back"]
        if not 0 <= features[place] < width:
            return [f"a tree reads a column outside 0 to {width - 1}"]
    return []
