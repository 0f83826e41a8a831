"""The receiver in docs/webhooks.md takes what tasuki sends, once, and nothing that somebody else says."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasuki.actions.notify import body_of, payload, signature
from tasuki.flow.event import Event

SECRET = "shared between both"
SENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
EVENT = Event(
    "idea-1", 3, "handoff_offered", "aoi", datetime(2026, 11, 24, tzinfo=UTC), {"to_stage": "modeling"}, "", ""
)


@pytest.fixture(scope="module")
def take() -> Callable[..., Any]:
    text = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], names)  # type: ignore[index]
    return lambda *said, now=SENT, **named: names["take"](*said, now=now, **named)


@pytest.fixture
def body() -> bytes:
    return body_of(payload(17, EVENT, "夜の入札"), SENT)


def test_a_delivery_is_taken_once(take: Callable[..., Any], body: bytes) -> None:
    told = take(body, signature(body, SECRET), SECRET, handled=16)
    assert (told["position"], told["kind"], told["title"]) == (17, "handoff_offered", "夜の入札")
    assert take(body, signature(body, SECRET), SECRET, handled=told["position"]) is None


def test_an_old_delivery_cannot_be_made_new(take: Callable[..., Any], body: bytes) -> None:
    newer = body.replace(b'"position": 17', b'"position": 18')
    assert newer != body
    with pytest.raises(ValueError, match="not signed"):
        take(newer, signature(body, SECRET), SECRET, handled=17)


@pytest.mark.parametrize("minutes", [6, -6, 60 * 24])
def test_what_was_recorded_on_the_line_is_not_taken_later(take: Callable[..., Any], body: bytes, minutes: int) -> None:
    assert take(body, signature(body, SECRET), SECRET, handled=0, now=SENT + timedelta(minutes=4))
    with pytest.raises(ValueError, match="too long ago"):
        take(body, signature(body, SECRET), SECRET, handled=0, now=SENT + timedelta(minutes=minutes))


@pytest.mark.parametrize("said", ["", "sha256=", "sha256=" + "0" * 64, "sha1=x", "é"])
def test_what_is_not_signed_is_refused(take: Callable[..., Any], body: bytes, said: str) -> None:
    with pytest.raises(ValueError, match="not signed"):
        take(body, said, SECRET, handled=0)
    with pytest.raises(ValueError, match="not signed"):
        take(body, signature(body, "another secret"), SECRET, handled=0)
