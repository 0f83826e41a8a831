"""Templates call plain methods the short way, and everything that may ask for its context as before."""

import pytest
from jinja2 import Environment, StrictUndefined, pass_context, pass_environment
from jinja2.exceptions import UndefinedError
from jinja2.runtime import Context

from tasuki.web.site import environment
from tasuki.web.template_context import PageContext
from tasuki.web.texts import Texts


class Given:
    """What a page gives to its template."""

    def joined(self, *parts: str, by: str = "-") -> str:
        return by.join(parts)


@pass_context
def seen(context: Context, name: str) -> str:
    return str(context[name])


@pass_environment
def stops(wanted: Environment) -> str:
    return type(wanted).__name__


TEMPLATE = """
{%- macro twice(word) %}{{ given.joined(word, word, by="+") }}{{ caller() if caller is defined }}{% endmacro -%}
{%- for word in ("a", "b") %}{{ twice(word) }}{{ t("board.title") }}{{ seen("name") }}{{ stops() }}
{%- call twice(word) %}{{ given.joined(word, name) }}{% endcall %}{% endfor -%}
"""


def test_it_draws_what_jinja_draws_by_itself() -> None:
    drawn = []
    for context in (Context, PageContext):
        templates = Environment(autoescape=True, undefined=StrictUndefined)
        templates.context_class = context
        template = templates.from_string(TEMPLATE)
        drawn.append(template.render(given=Given(), t=Texts("ja"), seen=seen, stops=stops, name="<n>"))
    assert drawn[0] == drawn[1]
    assert "&lt;n&gt;" in drawn[1]


def test_a_name_that_does_not_exist_is_still_an_error() -> None:
    template = environment().from_string("{{ nobody('knows') }}")
    with pytest.raises(UndefinedError):
        template.render()


def test_a_methods_own_fault_is_told_and_not_drawn_away() -> None:
    class Broken:
        def fail(self) -> str:
            raise ValueError("broken")

    template = environment().from_string("{{ one.fail() }}")
    with pytest.raises(ValueError, match="broken"):
        template.render(one=Broken())


def test_pages_use_it() -> None:
    assert environment().context_class is PageContext
