"""How templates call what they are given: a page does so a thousand times, mostly plain methods."""

from types import MethodType
from typing import Any

from jinja2.runtime import Context

from tasuki.web.texts import Texts

_PLAIN = (MethodType, Texts)


class PageContext(Context):
    """Calls words, formats and methods at once: only functions and macros of templates may ask for their context."""

    def call(self, wanted: Any, /, *args: Any, **values: Any) -> Any:
        """What the called one gives."""
        if type(wanted) not in _PLAIN:
            return super().call(wanted, *args, **values)
        values.pop("_block_vars", None)
        values.pop("_loop_vars", None)
        return wanted(*args, **values)
