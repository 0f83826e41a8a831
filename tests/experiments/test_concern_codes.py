"""Every concern that a comparison can have is explained, in both languages."""

import re
from pathlib import Path

HERE = Path(__file__).parents[2]
CODE = re.compile(r'Concern\(\s*"([a-z_]+)"')


def test_every_code_of_a_concern_is_explained() -> None:
    rows = [line for line in (HERE / "docs/concerns.md").read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    explained = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    rooms = [HERE / "src/tasuki/experiments", HERE / "src/tasuki/actions"]
    texts = [file.read_text(encoding="utf-8") for room in rooms for file in room.glob("*.py")]
    used = {code for text in texts for code in CODE.findall(text)}
    assert len(used) > 20
    assert used <= explained, sorted(used - explained)
    assert all(re.search(r"[ぁ-ん]", row.split("|")[4]) for row in rows)
