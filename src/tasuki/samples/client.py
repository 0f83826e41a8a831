"""The bidder's side of the inference service: HTTP/1.1 on a few connections that stay open."""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import numpy as np

from tasuki.errors import Invalid, Unavailable
from tasuki.samples.scoring import Answers, Question

_PAUSES_S = (0.1, 0.5, 2.0)
_ANSWER_FIELDS = ("exposures", "arms", "scores", "fallbacks")


@dataclass(frozen=True)
class ServiceAddress:
    """Where the inference service listens, and how it is talked to.

    Args:
        model: The model that is asked.
        host: Its host.
        port: Its port.
        connections: How many requests are under way at once.
        batch: At most this many rows in one request.
        timeout_s: How long one answer may take.
    """

    model: str
    host: str = "127.0.0.1"
    port: int = 8600
    connections: int = 3
    batch: int = 1_000
    timeout_s: float = 10.0


class ServiceClient:
    """Scores by asking the inference service. Use as a context, so that its connections are closed.

    A request that fails for a reason that may pass (no connection, time-out, 5xx) is repeated a few times. The service
    may then have logged an exposure whose answer never arrived: exposures that no outcome names.
    """

    def __init__(self, address: ServiceAddress) -> None:
        self.address = address
        self.failed = 0
        """Rows that were asked about and got no answer, each time that happened."""
        self._idle: SimpleQueue[HTTPConnection] = SimpleQueue()
        for _ in range(address.connections):
            self._idle.put(HTTPConnection(address.host, address.port, timeout=address.timeout_s))
        self._threads = ThreadPoolExecutor(address.connections, thread_name_prefix="bidder")

    def __enter__(self) -> "ServiceClient":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the requests under way and closes the connections."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()

    def score(self, request: Question) -> Answers:
        """Asks for every row, in batches on all connections, and puts the answers into the request's order.

        Raises:
            Unavailable: When the service does not answer after a few tries.
            Invalid: When the service refuses what was asked, or its answer does not fit the question.
        """
        parts = list(self._threads.map(self._ask, request.split(self.address.batch)))
        return Answers(
            exposures=[one for part in parts for one in part["exposures"]],
            arms=np.array([one for part in parts for one in part["arms"]], dtype=np.str_),
            scores=np.array([one for part in parts for one in part["scores"]], dtype=np.float64),
            fallbacks=np.array([one for part in parts for one in part["fallbacks"]], dtype=np.bool_),
        )

    def _ask(self, request: Question) -> Mapping[str, Any]:
        body = json.dumps({"units": request.units(), "columns": request.columns()}).encode()
        answer = self._post(body, len(request))
        if any(len(answer.get(name, ())) != len(request) for name in _ANSWER_FIELDS):
            raise Invalid(
                "the inference service answered something else than was asked",
                expected=f"{len(request)} each of {', '.join(_ANSWER_FIELDS)}",
                next_step="check that the address belongs to `tasuki model serve` of the same version",
            )
        return answer

    def _post(self, body: bytes, rows: int) -> Mapping[str, Any]:
        trouble = ""
        for pause in (*_PAUSES_S, None):
            connection = self._idle.get()
            try:
                connection.request("POST", f"/v1/models/{self.address.model}/score", body, _HEADERS)
                response = connection.getresponse()
                text = response.read()
                if response.status < 500:
                    return self._read(response.status, text)
                trouble = f"status {response.status}: {text[:200].decode(errors='replace')}"
            except (OSError, HTTPException) as error:
                connection.close()
                trouble = f"{type(error).__name__}: {error}"
            finally:
                self._idle.put(connection)
            self.failed += rows
            if pause is not None:
                time.sleep(pause)
        raise Unavailable(
            f"the inference service at {self.address.host}:{self.address.port} does not answer ({trouble})",
            expected=f"scores of model {self.address.model!r}",
            next_step="start it with `tasuki model serve`, then play again",
        )

    def _read(self, status: int, text: bytes) -> Mapping[str, Any]:
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if status != 200 or not isinstance(answer, dict):
            said = text[:500].decode(errors="replace")
            raise Invalid(
                f"the inference service answered status {status}: {said}",
                expected=f"the scores of model {self.address.model!r} in columns",
            )
        return answer


_HEADERS = {"content-type": "application/json"}
