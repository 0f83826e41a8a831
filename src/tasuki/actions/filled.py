"""Filling the named places of a query's tree."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


def filled(tree: "exp.Expr", values: "Mapping[str, exp.Expr]") -> "exp.Expr":
    """The tree with every `:name` replaced by its own copy of the value; a value may hold places itself."""
    from sqlglot import exp

    def fill(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Placeholder) and node.name in values:
            return values[node.name].copy()
        return node

    return tree.transform(fill)
