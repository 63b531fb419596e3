"""Slices or frames as a film, from a panel: which planes, how fast, what lies over them. Calls ``ws.clip``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.geometry import AXES
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, labelled, row, text
from voxloop.panels.space.film_work import FilmWork

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace


class ClipBox:
    """A fold with a path, planes and looks; Save.

    Parameters
    ----------
    panel, ws, view
        Whose part it is, whose image is filmed, and the picture that says across which axis.
    image
        Name of the image on show.
    layers
        Names of what lies over it.
    looks
        Further arguments of ``ws.clip``, such as how points are coloured.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: Callable[[], PlaneView],
        image: Callable[[], str],
        layers: Callable[[], Sequence[str]],
        looks: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._panel, self._ws, self._view, self._image = panel, ws, view, image
        self._layers, self._looks = layers, looks
        self.fold = Fold("Film", self._build, lambda fold: self.refresh())
        self.widget = self.fold.widget

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self.path = classed(w.Text(value="clip.mp4", **labelled("File", ".mp4 or .gif")), "vx-grow")
        self.planes = w.IntRangeSlider(value=(0, 1), min=0, max=1, **labelled("Planes", "From, and up to but without"))
        self.fps = w.BoundedFloatText(value=10, min=0.1, max=120, **labelled("Per second", "Planes or frames a second"))
        self.scale = w.BoundedFloatText(value=1, min=0.05, max=64, step=0.5, **labelled("Scale", "Pixels for a voxel"))
        self.replace = w.Checkbox(value=False, indent=False, description="replace")
        self.save = button("Save film", handler(self._save), icon="film", tooltip="Write the planes as a film")
        self.work = FilmWork(self._panel, self.save)
        self.code = CopyCode()
        for control in (self.path, self.planes, self.fps, self.scale, self.replace):
            control.observe(handler(lambda _: self._tell()), "value")
        about = classed(text("With what lies over the picture now."), "vx-dim", "vx-small")
        return [
            self.path,
            self.planes,
            row(self.fps, self.scale),
            row(self.save, self.replace),
            self.work.widget,
            about,
            self.code,
        ]

    def refresh(self) -> None:
        """Another image, or other planes, are on show."""
        if not self.fold.is_open:
            return
        view = self._view()
        size = view.planes.shape[AXES.index(view.axis)]
        if self.planes.max != size:
            self.planes.max = size
            self.planes.value = (0, size)
        self.planes.description = f"{view.axis} planes"
        self._tell()

    @property
    def arguments(self) -> dict[str, Any]:
        """What ``ws.clip`` is given beside the path."""
        view = self._view()
        start, stop = self.planes.value
        size = view.planes.shape[AXES.index(view.axis)]
        given: dict[str, Any] = {"image": self._image()}
        if view.axis != "z":
            given["axis"] = view.axis
        if (start, stop) != (0, size):
            given |= {"start": start, "stop": max(start + 1, stop)}
        given |= {"layers": list(self._layers()), "fps": self.fps.value, "scale": self.scale.value, **self._looks()}
        if self.replace.value:
            given["overwrite"] = True
        return given

    def _tell(self) -> None:
        more = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        self.code.code = f"ws.clip({self.path.value!r}{more})"

    def _save(self) -> None:
        path = str(self.path.value).strip()
        if not path:
            raise VoxloopError("name a file first, such as clip.mp4")
        self._tell()
        given = self.arguments
        self.work.start(lambda told: self._ws.clip(path, **given, progress=told))
