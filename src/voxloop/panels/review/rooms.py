"""The rooms of a side column, one on show at a time, behind a switch. Knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, classed, show


class Rooms:
    """Widgets by name, of which one is shown.

    Parameters
    ----------
    widgets
        What each room holds, by the name that stands on the switch.
    about
        What each room is for: the tooltips of the switch.
    entered
        Called with the name of the room that is shown from now on.
    """

    def __init__(
        self,
        panel: Panel,
        widgets: Mapping[str, w.DOMWidget],
        about: Mapping[str, str],
        entered: Callable[[str], object],
    ) -> None:
        self._widgets = dict(widgets)
        self._entered = entered
        names = list(widgets)
        tooltips = [about[name] for name in names]
        buttons = w.ToggleButtons(options=names, value=names[0], tooltips=tooltips, tooltip="Room")
        self.switch: Any = classed(buttons, "vx-choice")
        self.switch.observe(panel.handler(self._show), "value")
        self.widget = w.VBox(list(self._widgets.values()))
        self._show_widgets()

    @property
    def here(self) -> str:
        """Name of the room on show."""
        return str(self.switch.value)

    def go(self, name: str) -> None:
        """Show a room."""
        self.switch.value = name

    def _show(self) -> None:
        self._show_widgets()
        self._entered(self.here)

    def _show_widgets(self) -> None:
        for name, widget in self._widgets.items():
            show(widget, name == self.here)
