"""The box of the live overlay: on and off, who answers, where to correct next. Decides nothing about the overlay."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, labelled, row, section, show, spacer, text
from voxloop.panels.form.choice_list import ChoiceList
from voxloop.panels.label.live_overlay import LiveOverlay, OverlaySource
from voxloop.panels.label.overlay_choice import LOOK_S, OverlayChoice
from voxloop.panels.view.plane_view import PlaneView

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class LiveBox:
    """A switch, a list of who answers, two buttons and a line of words around a live overlay.

    Parameters
    ----------
    open_source
        Makes who answers when it is first needed; None: a helper process of the workspace.
    level
        The level on show.
    next_place, accept
        What the two buttons do.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: PlaneView,
        open_source: Callable[[], OverlaySource] | None,
        level: Callable[[], str],
        next_place: Callable[[], object],
        accept: Callable[[], object],
    ) -> None:
        self._words = text("", "vx-dim", "vx-small")
        self.overlay = LiveOverlay(panel, view, open_source or partial(_helper_of, ws), self._tell)
        self.choice = OverlayChoice(panel, ws, level, self.overlay)
        self._ws = ws
        self.channels = ChoiceList("Learn from", "Channels that strokes teach with, beside the image", "")
        self.channels.observe(panel.handler(lambda change: self.overlay.learn_from(change["new"])), "value")
        self.offer()
        panel.every(LOOK_S, self.offer)
        self._switch = w.Checkbox(
            value=True,
            indent=False,
            **labelled("Live overlay (O)", "What the strokes so far, or a model, predict for the rest of the picture"),
        )
        self._switch.observe(panel.handler(lambda change: self.overlay.switch(change["new"])), "value")
        next_button = button(
            "Least sure", panel.handler(next_place), tooltip="Go where it is least sure on this plane (N)"
        )
        accept_button = button("Accept", panel.handler(accept), tooltip="Make labels of the overlay there (Y)")
        line = row(self._switch, spacer(), next_button, accept_button)
        self.widget = section("Live overlay", line, self.choice.list, self.channels, self._words)

    @property
    def words(self) -> str:
        """What the line says: what is missing, how sure the overlay is, what went wrong."""
        return html.unescape(self._words.value)

    def switch(self, on: bool | None = None) -> None:
        """Show the overlay or do without it; the other way round where ``on`` is not given."""
        self._switch.value = not self._switch.value if on is None else on

    def offer(self) -> None:
        """Channels as there are now; without any, nothing is to be chosen."""
        names = self._ws.channels.names
        self.channels.offer(names)
        if gone := [name for name in self.channels.value if name not in names]:
            self.channels.value = tuple(name for name in self.channels.value if name not in gone)
        show(self.channels, bool(names))

    def _tell(self, words: str) -> None:
        self._words.value = html.escape(words)


def _helper_of(ws: Workspace) -> OverlaySource:
    """The helper process, started by its first question: when two classes have strokes."""
    from voxloop.panels.label.helper_source import HelperSource

    return HelperSource(ws.path)
