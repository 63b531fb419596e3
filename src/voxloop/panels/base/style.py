"""How panels look: the one style sheet, the palette, and the element that carries the sheet. No behaviour."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import ipywidgets as w

from voxloop.film.colors import PALETTE as PALETTE
from voxloop.film.colors import color as color

_SHEETS = ("style.css", "page.css")


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
