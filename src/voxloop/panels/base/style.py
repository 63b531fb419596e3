"""How panels look: the one style sheet, the palette, and the element that carries the sheet. No behaviour."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import ipywidgets as w

#: Okabe & Ito's palette, told apart by colour-blind readers; black left out, since it vanishes in a dark theme.
PALETTE: tuple[str, ...] = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_SHEETS = ("style.css", "page.css")


def color(index: int) -> str:
    """The palette's colour for the ``index``-th thing (0-based); repeats after seven."""
    return PALETTE[index % len(PALETTE)]


@cache
def css() -> str:
    """The style sheet of all panels, in JupyterLab's variables with fallbacks for pages without them."""
    return "\n".join(files(__package__).joinpath(name).read_text(encoding="utf-8") for name in _SHEETS)


def style_element() -> w.HTML:
    """An invisible element with the style sheet.

    It is a widget of the panel itself, so that every display of the panel, a second one, a re-run, or one restored
    after a reload, brings its style along. The same sheet twice in a page changes nothing.
    """
    element = w.HTML(f"<style>{css()}</style>")
    element.add_class("vx-style")
    return element
