"""From a specification to SVG: the one place that knows the drawing library, which is loaded when something is drawn.

Nothing is fetched: addresses in a specification are refused. Text stays text, so that the reader's own fonts show it.
"""

import re
from html import escape

from tasuki.charts.frame import Spec

_VERSION = "6.4"
_ROOT = re.compile(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)" viewBox="([^"]+)">')
_TAG = re.compile(r"<[^>]*>")
_SPOKEN = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
_NAMED = re.compile(r'\bid="([^"]+)"|url\(#([^)]+)\)')


def to_svg(spec: Spec, label: str, prefix: str) -> str:
    """A chart as an SVG element for a page.

    Args:
        spec: A Vega-Lite specification whose data is inside.
        label: What the chart shows, for those who cannot see it.
        prefix: Put before every id inside, so that charts can share a page.
    """
    import vl_convert

    drawn = str(vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=[]))
    root = _ROOT.match(drawn)
    assert root is not None, "the drawing library writes another kind of SVG"
    width, height, box = root.groups()
    said = escape(label, quote=True)
    opening = f'<svg role="img" aria-label="{said}" width="{width}" height="{height}" viewBox="{box}">'
    # Texts hold no "<" or ">" of their own, so that what stands between two of these is a tag.
    return opening + _TAG.sub(lambda tag: _tag(tag[0], prefix), drawn[root.end() :])


def _tag(text: str, prefix: str) -> str:
    """A tag whose ids are apart from those of other drawings; the drawing is one image, its parts say nothing."""
    return _NAMED.sub(lambda found: _renamed(found, prefix), _SPOKEN.sub("", text))


def _renamed(found: re.Match[str], prefix: str) -> str:
    name, used = found.groups()
    return f'id="{prefix}-{name}"' if name else f"url(#{prefix}-{used})"


def can_draw() -> bool:
    """Whether the drawing library is there."""
    from importlib.util import find_spec

    return find_spec("vl_convert") is not None
