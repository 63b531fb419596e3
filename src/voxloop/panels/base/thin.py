"""Layouts and styles of widgets that send what was set, not forty times nothing. Knows no panel.

A page that was reloaded asks for the state of all widgets at once, and every widget has a layout and a style of its
own: most of what is sent then is their unset values, which a page takes for granted.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import ipywidgets as w


class Thin:
    """Leaves unset values out where the whole state is asked for; a value that is taken back is sent as ever."""

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state(key, drop_defaults)  # type: ignore[misc]
        if key is not None:
            return state
        return {name: value for name, value in state.items() if value is not None}


@cache
def thin(kind: Any) -> Any:
    """The class of layouts or styles that is ``kind`` and thin."""
    return type(f"Thin{kind.__name__}", (Thin, kind), {})


def make_thin(widget: w.Widget) -> None:
    """Make a layout or style thin, before it is sent; other widgets stay as they are."""
    kind: Any = type(widget)
    if isinstance(widget, w.Layout | w.Style) and not isinstance(widget, Thin):
        widget.__class__ = thin(kind)
