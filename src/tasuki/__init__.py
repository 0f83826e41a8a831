"""Carries a data-science team's improvement ideas from hypothesis to business decision.

In a notebook: `tasuki.compare`, `tasuki.plan`, `tasuki.assign` and `tasuki.offline_compare` are plain functions on
files and data frames. They are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasuki.actions.assign import assign
    from tasuki.actions.compare import compare
    from tasuki.actions.offline import offline_compare
    from tasuki.actions.plan import plan

__all__ = ["assign", "compare", "offline_compare", "plan"]

_HOMES = {
    "assign": "tasuki.actions.assign",
    "compare": "tasuki.actions.compare",
    "offline_compare": "tasuki.actions.offline",
    "plan": "tasuki.actions.plan",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tasuki' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
