"""The line that says to which region everything is limited, with the way out. Draws no region."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel, button, row, show, text

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


def limit_words(ws: Workspace, image: str | None = None) -> str:
    """``only inside 'cell 1'``; empty where no region of an image (None: of any, with its name) is active."""
    active = [one for name in ws.images.names if (one := ws.regions.active_on(name)) is not None]
    if image is not None:
        active = [one for one in active if one.image == image]
    several = image is None and len(ws.images.names) > 1
    listed = [f"'{one.name}' of '{one.image}'" if several else f"'{one.name}'" for one in active]
    return f"only inside {', '.join(listed)}" if listed else ""


class LimitLine:
    """Follows the active region, whoever changes it.

    Parameters
    ----------
    image
        Gives the name of the image on show; None for a panel of all images.
    lifted
        Called when the button made everything count again.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        image: Callable[[], str | None] = lambda: None,
        lifted: Callable[[], object] = lambda: None,
    ) -> None:
        self._ws, self._image, self._lifted = ws, image, lifted
        self._words = text("", "vx-limit")
        self._button = button("Everywhere", panel.handler(self.lift), tooltip="Make no region the active one")
        self.widget = row(self._words, self._button)
        self.show()
        panel.every(1.0, self.show)

    def show(self) -> None:
        """Say what is active now."""
        words = limit_words(self._ws, self._image())
        shown = html.escape(f"{words[:1].upper()}{words[1:]}")
        if self._words.value != shown:
            self._words.value = shown
        show(self._button, not self._ws.read_only)
        show(self.widget, bool(words))

    def lift(self) -> None:
        """Work everywhere again."""
        image = self._image()
        for name in self._ws.images.names if image is None else [image]:
            self._ws.regions.deactivate(name)
        self.show()
        self._lifted()
