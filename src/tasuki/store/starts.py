"""Where in the ledger experiments were started, ramped up and stopped, and on which model: outlines do not say.

Looked up once, by an index of their own, and kept as positions; later calls read what was written since, by whichever
process.
"""

import json
import threading
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, select

from tasuki.flow.event import Event
from tasuki.store.database import reading
from tasuki.store.head import Head
from tasuki.store.rows import to_event
from tasuki.store.schema import OF_RUNS, events

Started = Mapping[tuple[str, str], str]
"""The model by idea and experiment."""

_AT_ONCE = 500


class StartKeeper:
    """Keeps where runs are told in one open ledger. Safe to use from several threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._position = 0
        self._models, self._places = dict[tuple[str, str], str](), dict[str, tuple[int, ...]]()

    def models(self, head: Head | None = None) -> Started:
        """The model of every experiment that was started on one, as of now, in the order of the starts.

        Args:
            head: The ledger's head, for whoever has asked for it already.
        """
        if head is not None and head.position == self._position:
            return self._models
        with self._lock, reading(self._engine) as connection:
            self._catch_up(connection)
            return self._models

    def run_events(self, ideas: Collection[str], head: Head | None = None) -> dict[str, tuple[Event, ...]]:
        """The events of `schema.RUN_KINDS` of these ideas, each idea's in order; an idea without any is left out."""
        found: dict[str, list[Event]] = {}
        with reading(self._engine) as connection:
            with self._lock:
                if head is None or head.position != self._position:
                    self._catch_up(connection)
                places = [place for idea in ideas for place in self._places.get(idea, ())]
            for part in (places[n : n + _AT_ONCE] for n in range(0, len(places), _AT_ONCE)):
                for row in connection.execute(select(events).where(events.c.position.in_(part))).mappings():
                    found.setdefault(row["idea"], []).append(to_event(dict(row)))
        return {idea: tuple(sorted(found[idea], key=lambda event: event.sequence)) for idea in ideas if idea in found}

    def _catch_up(self, connection: Connection) -> None:
        newest = connection.execute(select(func.max(events.c.position))).scalar() or 0
        if newest < self._position:  # another ledger was put in its place
            self._position, self._models, self._places = 0, {}, {}
        if newest == self._position:
            return
        told = told_since(self._position)
        models = dict[tuple[str, str], str]()
        for position, idea, kind, text in connection.execute(told):
            self._places[idea] = (*self._places.get(idea, ()), position)
            body = _read(text) if kind == "experiment_started" else {}
            name, model = body.get("name"), body.get("model")
            if isinstance(name, str) and isinstance(model, str):
                models[idea, name] = model
        if models:
            self._models = {**self._models, **models}  # whoever holds the earlier one keeps it as it was
        self._position = newest


def told_since(position: int) -> Select[int, str, str, str]:
    """The query for what the events of runs behind a position say, in order; an index of its own answers it."""
    told = select(events.c.position, events.c.idea, events.c.kind, events.c.body)
    return told.where(events.c.position > position, OF_RUNS).order_by(events.c.position)


def _read(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}  # `tasuki doctor` names it
    return body if isinstance(body, dict) else {}
