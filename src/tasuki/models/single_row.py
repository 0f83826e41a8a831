"""One row through LightGBM's single-row-fast call: its buffers are made once, and a call costs what the trees do.

The call goes through `ctypes.PyDLL`, which keeps the interpreter's lock: it takes a few microseconds, and giving the
lock away would cost a request more than that whenever another thread wants it.
"""

import ctypes
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tasuki.errors import Invalid

_FLOAT64, _NORMAL = 1, 0
_PARAMETERS = b"num_threads=1"


class SingleRow:
    """The fast call of one loaded booster; safe to use from several threads.

    Args:
        path: LightGBM's shared library.
        booster: The handle of a loaded booster, which must outlive this.
        width: How many features the booster has.

    Raises:
        Invalid: When LightGBM refuses.
    """

    def __init__(self, path: str, booster: ctypes.c_void_p, width: int) -> None:
        library = ctypes.PyDLL(path)
        self._free = library.LGBM_FastConfigFree
        self._handle = ctypes.c_void_p()
        made = library.LGBM_BoosterPredictForMatSingleRowFastInit(
            booster, _NORMAL, 0, -1, _FLOAT64, ctypes.c_int32(width), _PARAMETERS, ctypes.byref(self._handle)
        )
        if made != 0:
            self._handle = ctypes.c_void_p()
            library.LGBM_GetLastError.restype = ctypes.c_char_p
            raise Invalid(f"LightGBM cannot score single rows: {library.LGBM_GetLastError().decode()}")
        self._row = ctypes.create_string_buffer(8 * width)
        self._given = ctypes.c_int64()
        self._score = ctypes.c_double()
        self.predict: Callable[[Iterable[float]], float] = self._predictor(library, width)

    def close(self) -> None:
        """Frees the call's configuration; nothing may be scored afterwards."""
        if self._handle:
            self._free(self._handle)
            self._handle = ctypes.c_void_p()

    def _predictor(self, library: ctypes.PyDLL, width: int) -> Callable[[Iterable[float]], float]:
        call, lock, row, score = (
            library.LGBM_BoosterPredictForMatSingleRowFast,
            threading.Lock(),
            self._row,
            self._score,
        )
        pack_into = struct.Struct(f"={width}d").pack_into
        # Arguments that stay are converted once: plain integers for addresses, no prototype to check at each call.
        config, at = self._handle, ctypes.cast(row, ctypes.c_void_p)
        given, out = ctypes.byref(self._given), ctypes.byref(score)

        def predict(values: Iterable[float]) -> float:
            with lock:
                pack_into(row, 0, *values)
                if call(config, at, given, out):
                    raise Invalid("LightGBM cannot score the row")
                return score.value

        return predict


def plain_scorer(
    predict: Callable[[Iterable[float]], float], nullable: Sequence[int]
) -> Callable[[Sequence[Any]], float]:
    """The scorer of a model whose inputs are its features, in order; a null among `nullable` becomes NaN."""
    if not nullable:
        return predict
    missing = float("nan")

    def score(values: Sequence[Any]) -> float:
        if None in values:
            return predict([missing if value is None else value for value in values])
        return predict(values)

    return score
