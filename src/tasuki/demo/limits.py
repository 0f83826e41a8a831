"""How many ideas the demo's team wants in a stage at once, so that its board shows limits."""

from collections.abc import Mapping
from pathlib import Path

LIMITS: Mapping[str, int] = {
    "hypothesis": 4,
    "investigation": 3,
    "modeling": 3,
    "offline_validation": 2,
    "implementation": 2,
    "ab_check": 2,
    "ab_comparison": 2,
    "evaluation": 3,
}
"""Few where people wait for each other, fewest where traffic is shared."""


def set_limits(stages: Path, limits: Mapping[str, int] = LIMITS) -> None:
    """Writes the limits into the stages of a playbook, each under its stage's heading."""
    text = stages.read_text(encoding="utf-8")
    for stage, limit in limits.items():
        text = text.replace(f"[stage.{stage}]\n", f"[stage.{stage}]\nlimit = {limit}\n")
    stages.write_text(text, encoding="utf-8")
