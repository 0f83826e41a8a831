"""A writer that is killed at any moment loses nothing it acknowledged, and its retries double nothing."""

import os
import random
import re
import signal
import time

import pytest
from stories import comment, fork, opening

from tasuki.store.ledger import open_ledger

EVENTS_PER_IDEA = 20


def write_for_ever(url: str, first: int, acknowledge: int) -> None:
    """Writes number after number, each with its own key; says `b` before and `a` after each (acknowledged) append."""
    ledger = open_ledger(url)
    for number in range(first, first + 1_000_000):
        idea = f"idea-{number // EVENTS_PER_IDEA}"
        new = [opening()] if number % EVENTS_PER_IDEA == 0 else [comment(f"n{number}"), comment(f"m{number}")]
        head = len(ledger.events(idea))
        os.write(acknowledge, b"b%d " % number)
        ledger.append(idea, head, new, key=f"key-{number}")
        os.write(acknowledge, b"a%d " % number)


def run_and_kill(url: str, first: int, chance: random.Random) -> list[str]:
    """What one writer said until it was killed: some words on (so that a busy machine still writes), at any moment."""
    reader, writer = os.pipe()
    child, unused = fork(lambda: write_for_ever(url, first, writer))
    os.close(writer)
    said, words = b"", chance.randint(1, 12)
    while said.count(b" ") < words:
        said += os.read(reader, 65536)
    time.sleep(chance.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the writer ended by itself"
    while more := os.read(reader, 65536):
        said += more
    os.close(reader)
    os.close(unused)
    return said.decode().split()


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "kills"), [("sqlite", 200), ("postgresql", 40)])
def test_a_writer_killed_at_random_moments_loses_and_doubles_nothing(new_database, backend, kills):
    url = new_database(backend)
    open_ledger(url).close()
    chance = random.Random(20260401)
    acknowledged: set[int] = set()
    inside = 0
    for _ in range(kills):
        said = run_and_kill(url, max(acknowledged, default=-1) + 1, chance)
        acknowledged |= {int(word[1:]) for word in said if word[0] == "a"}
        inside += said[-1][0] == "b"

    ledger = open_ledger(url)
    feed = [event for _, event in ledger.feed(0, 1_000_000)]
    written = [int(re.sub(r"\D", "", event.body["text"])) for event in feed if event.kind == "comment_added"]
    assert inside > kills / 2, "most kills must hit a writer in the middle of an append"
    assert len(acknowledged) > kills
    assert ledger.verify() == ()
    expected = sorted(acknowledged | set(written))
    assert expected[-1] <= max(acknowledged) + 1, "at most the append that was under way is there unacknowledged"
    assert written == [n for n in expected if n % EVENTS_PER_IDEA for _ in "nm"]
    print(f"{backend}: {kills} kills, {inside} inside an append, {len(acknowledged)} appends acknowledged")
    ledger.close()


def test_a_retry_after_the_kill_finds_what_was_committed(ledger_url):
    """The one case that keys are for: committed, but killed before anybody could be told."""

    def commit_and_die() -> None:
        open_ledger(ledger_url).append("idea-1", 0, [opening()], key="k")
        os.kill(os.getpid(), signal.SIGKILL)

    child, reader = fork(commit_and_die)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    os.close(reader)
    ledger = open_ledger(ledger_url)
    assert ledger.append("idea-1", 0, [opening()], key="k") == ledger.events("idea-1")
    assert len(ledger.feed(0, 10)) == 1
    ledger.close()
