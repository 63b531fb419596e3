"""Objects of what is labelled: choose a level, or a class of one, and make them. Starts a run; computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import CopyCode, Panel, button, column, labelled, row, section, show
from voxloop.panels.monitor.run_start import RunStart

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace


class LevelSource:
    """A row below predictions: objects of a level of the image on show.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose levels are offered.
    image
        Gives the image on show.
    started
        Called with the run.
    """

    def __init__(self, panel: Panel, ws: Workspace, image: Callable[[], str], started: Callable[[Run], object]) -> None:
        self._ws, self._image = ws, image
        self.which = w.Dropdown(options=[], **labelled("Level", "Of a class its connected voxels; objects as they are"))
        self.which.observe(panel.handler(self._show_code), "value")
        self.make = button("Make", panel.handler(self.apply), icon="play", tooltip="Make objects of what is labelled")
        self.copy = CopyCode()
        self._start = RunStart(panel, self.make, started, self._enable)
        self.widget = column(section("Or of what is labelled", row(self.which, self.make), self.copy))
        self.look()

    def look(self) -> None:
        """Offer levels and classes as they are now."""
        options: list[tuple[str, tuple[str, str | None]]] = []
        for name in self._ws.levels.names:
            level = self._ws.levels[name]
            if level.kind == "instances":
                options.append((name, (name, None)))
            elif level.kind == "semantic":
                options += [(f"{name} / {item.name}", (name, item.name)) for item in level.classes]
        if tuple(self.which.options) != tuple(options):
            self.which.options = options
        show(self.widget, bool(options))
        self._show_code()

    def apply(self) -> None:
        """Make objects of the level or class that is chosen, in a process of its own."""
        if self.which.value is None:
            raise LabelError("this workspace has no level of labels yet; the Label step makes one")
        level, of = self.which.value
        self._start(partial(self._ws.objects, level, image=self._image(), **_named(of)))

    def _show_code(self) -> None:
        if self.which.value is not None:
            level, of = self.which.value
            about = "".join(f", {key}={value!r}" for key, value in (_named(of) | {"image": self._image()}).items())
            self.copy.code = f"ws.objects({level!r}{about})"

    def _enable(self) -> None:
        self.make.disabled = self._ws.read_only or self._start.busy


def _named(of: str | None) -> dict[str, Any]:
    return {} if of is None else {"of": of}
