"""How a name of a logged feature is found in its JSON, whatever characters the name has."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp


def path_of(name: str) -> "exp.Literal":
    r"""Where DuckDB finds a named value of an object: a JSON pointer (RFC 6901).

    A JSON path, `$."name"`, takes `\u5e97` in a name as those six characters; a pointer has only `~` and `/` to escape.
    """
    from sqlglot import exp

    return exp.Literal.string("/" + name.replace("~", "~0").replace("/", "~1"))
