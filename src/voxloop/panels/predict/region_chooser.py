"""Which part of a picture is meant: all, a plane, what is on screen, a box, a named region. Reads no voxels."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import ipywidgets as w

from voxloop.errors import PredictionError
from voxloop.geometry import AXES, Box
from voxloop.panels.base.panel import Panel, column, labelled, row, show
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import frame

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

Where = Literal["all", "plane", "screen", "box", "named"]
WHERE: dict[Where, str] = {
    "all": "Everything",
    "plane": "This plane",
    "screen": "What is on screen",
    "box": "A box",
    "named": "A named region",
}


class RegionChooser:
    """Everything, This plane, What is on screen, A box and, where the image has some, A named region.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose regions are offered.
    view
        What is on show; a box and a named region are framed there.
    image
        The image on show.
    changed
        Called when another part is meant.
    """

    def __init__(
        self, panel: Panel, ws: Workspace, view: PlaneView, image: Callable[[], str], changed: Callable[[], None]
    ) -> None:
        self._ws, self._view, self._image, self._changed = ws, view, image, changed
        handler = panel.handler(self._chosen)
        self.where: Any = w.Dropdown(
            options=self._options([]), value="all", **labelled("Part", "Which part of the image is predicted")
        )
        self.ranges = [_range(axis, size, handler) for axis, size in zip(AXES, view.planes.shape, strict=True)]
        self.named = w.Dropdown(options=[], **labelled("Region", "A region of the workspace, of this image"))
        self._box = row(*self.ranges)
        self.widget = column(self.where, self._box, self.named)
        self.refresh()
        self._show_fields()
        for control in (self.where, self.named):
            control.observe(handler, "value")

    @property
    def box(self) -> Box | None:
        """The voxels meant; None for all, those of the active region where one is.

        Raises PredictionError where the box is empty, or the region is gone.
        """
        where: Where = self.where.value
        if where == "all":
            active = self._ws.regions.active_on(self._image())
            return None if active is None else active.box
        if where == "named":
            name = self.named.value
            if name not in self._ws.regions:
                raise PredictionError("choose a region: this image has none of that name any more")
            return self._ws.regions[name].box
        if where == "box":
            return self._of_ranges()
        return self._view.visible_box() if where == "screen" else self._plane()

    @property
    def meant(self) -> Box | str | None:
        """As :attr:`box`, a named one by its name; None also where all that the active region leaves is meant."""
        if self.where.value == "all":
            return None
        return str(self.named.value) if self.where.value == "named" else self.box

    @property
    def code(self) -> str:
        """What follows ``region=`` in a line of Python; empty for all."""
        meant = self.meant
        if meant is None:
            return ""
        return meant.code() if isinstance(meant, Box) else repr(meant)

    @property
    def follows(self) -> bool:
        """Whether another plane, or another piece of it, on show is another part."""
        return self.where.value in ("plane", "screen")

    def limit_lifted(self) -> None:
        """No region is active any more."""
        self._changed()

    def refresh(self) -> None:
        """Look anew at the regions of the image."""
        names = [name for name in self._ws.regions if self._ws.regions[name].image == self._image()]
        if tuple(names) == self.named.options and len(self.where.options) == len(self._options(names)):
            return
        chosen, where = self.named.value, self.where.value
        self.named.options = names
        if chosen in names:
            self.named.value = chosen
        else:
            self.named.value = next(iter(names), None)
        self.where.options = self._options(names)
        self.where.value = where if names or where != "named" else "all"

    def image_changed(self) -> None:
        """Another image is on show: its size and its regions."""
        self.refresh()
        for field, size in zip(self.ranges, self._view.planes.shape, strict=True):
            field.max, field.value = size, (0, size)

    def show_frame(self) -> None:
        """Frame the box, or the named region, where it meets the plane on show."""
        axis, index = self._view.axis, self._view.index
        box = self.box if self.where.value in ("box", "named") else None
        shapes = []
        if box is not None and box.crosses(axis, index):
            shapes.append(frame(box, axis, index))
        self._view.set_shapes(shapes)

    def _chosen(self) -> None:
        self._show_fields()
        self._changed()

    def _show_fields(self) -> None:
        show(self._box, self.where.value == "box")
        show(self.named, self.where.value == "named")

    def _plane(self) -> Box:
        return Box.whole(self._view.planes.shape).cut(self._view.axis, self._view.index, self._view.index + 1)

    def _of_ranges(self) -> Box:
        bounds = []
        for field, axis, size in zip(self.ranges, AXES, self._view.planes.shape, strict=True):
            start, stop = field.value
            if not 0 <= start < stop <= size:
                raise PredictionError(f"the box is empty along {axis}: {start} to {stop} of {size} voxels")
            bounds.append((start, stop))
        return Box.from_json(bounds)

    def _options(self, names: list[str]) -> list[tuple[str, Where]]:
        return [(label, where) for where, label in WHERE.items() if where != "named" or names]


def _range(axis: str, size: int, changed: Any) -> w.IntRangeSlider:
    made = w.IntRangeSlider(
        value=(0, size),
        min=0,
        max=size,
        continuous_update=False,
        style={"description_width": "20px"},
        layout={"width": "100%"},
        **labelled(axis, f"Voxels along {axis} that are predicted"),
    )
    made.observe(changed, "value")
    return made
