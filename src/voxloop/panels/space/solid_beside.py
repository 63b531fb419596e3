"""Three dimensions beside the planes of a panel: a button that opens them, clicks there, what is selected lights up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.panels.base.panel import Panel, column
from voxloop.panels.space.view3d import View3D

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace


class SolidBeside:
    """A button *In 3-D*, and ``widget``, which holds the view while it is open.

    Parameters
    ----------
    panel, ws, view
        Whose part it is, whose image is shown, and the picture whose crosshair it goes with.
    image
        Name of the image on show.
    layers
        What has surfaces; None: every level that holds anything.
    clicked
        Called with the name of the layer and the number of the object that was clicked.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: PlaneView,
        image: Callable[[], str],
        layers: Callable[[], Sequence[str] | None],
        clicked: Callable[[str, int], object],
    ) -> None:
        self._ws, self._view, self._image, self._layers, self._clicked = ws, view, image, layers, clicked
        self.open: View3D | None = None
        self.button = w.ToggleButton(
            description="In 3-D", icon="cube", tooltip="Planes and surfaces in three dimensions, beside the picture"
        )
        self.button.observe(panel.handler(self._toggled), "value")
        self.widget = column()
        panel.on_close(lambda: self.show(False))

    def show(self, on: bool = True) -> None:
        """Open it, anew where it is open, or close it. Raises VoxloopError where nothing can be shown."""
        if self.open is not None:
            self.widget.children = ()
            self.open.close()
            self.open = None
        try:
            if on:
                self.open = View3D(
                    self._ws,
                    self._image(),
                    self._layers(),
                    beside=self._view,
                    height=360,
                    on_click=self._clicked,
                    compact=True,
                    embedded=True,
                )
        finally:
            self.button.value = self.open is not None
        if self.open is not None:
            self.widget.children = (self.open.widget,)

    def follow(self) -> None:
        """Another image or other layers are on show; it closes where they have no three dimensions."""
        if self.open is None or (self.open.image == self._image() and self.open.layers == self._layers()):
            return
        try:
            self.show()
        except VoxloopError:
            self.show(False)

    def select(self, name: str, numbers: Sequence[int]) -> None:
        """Light up objects of a layer, where it is open."""
        if self.open is not None:
            self.open.select(name, numbers)

    def _toggled(self) -> None:
        if self.button.value != (self.open is not None):
            self.show(bool(self.button.value))
