"""One scene in the browser: image planes, surfaces, cuts and the camera. K3D draws with WebGL; knows no workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.errors import VolumeError
from voxloop.extras import install_line
from voxloop.film.camera import FIELD_OF_VIEW, Camera3D
from voxloop.film.scene3d import edges_of
from voxloop.panels.base.panel import close_tree
from voxloop.panels.view.frames import encode_picture

if TYPE_CHECKING:
    from voxloop.film.raster import ImagePlane, Surface
    from voxloop.film.scene3d import Scene3D

BACKGROUND, TEXT, GRID, EDGE = 0x17181A, 0xD8D8D8, 0x3A3C40, 0x787C82
#: selected objects, as in the picture of a plane, and how much of the others' colour goes where some are selected
SELECTED, _FADED = (0xFF, 0xE1, 0x6B), 0.55


class SolidPlot:
    """Shows a :class:`Scene3D`; every method on the UI thread.

    ``clicked(name, number)`` is called with the surface and the object that a click met.
    """

    def __init__(self, height: int, clicked: Callable[[str, int], object]) -> None:
        try:
            import k3d
        except ImportError:
            raise VolumeError(
                f"three dimensions are drawn by k3d, which is not installed: {install_line('k3d')}"
            ) from None
        self._k3d, self._clicked = k3d, clicked
        self._cut: tuple[np.ndarray, np.ndarray] | None = None
        self.widget: Any = k3d.plot(
            height=height,
            background_color=BACKGROUND,
            label_color=TEXT,
            grid_color=GRID,
            menu_visibility=False,
            axes=["x µm", "y µm", "z µm"],
            axes_helper=0,
            antialias=2,
            camera_auto_fit=False,
            grid_auto_fit=False,
            grid_visible=False,
            camera_fov=FIELD_OF_VIEW,
            depth_peels=4,
            mode="callback",
        )
        self._surfaces: dict[str, Any] = {}
        self._planes: dict[str, Any] = {}
        self._edges: Any = None

    def show_surfaces(self, surfaces: Sequence[Surface], opacity: dict[str, float]) -> None:
        """Show these and no others; those that are there already stay."""
        names = {surface.name for surface in surfaces}
        for name in [name for name in self._surfaces if name not in names]:
            self._drop(self._surfaces.pop(name))
        for surface in surfaces:
            old = self._surfaces.get(surface.name)
            if old is not None and old.custom_data == {"triangles": len(surface.faces)}:
                continue
            if old is not None:
                self._drop(old)
            mesh = self._mesh(surface)
            self._surfaces[surface.name] = mesh
            self.widget += mesh
        self.show_opacity(opacity)

    def _mesh(self, surface: Surface) -> Any:
        look: dict[str, Any] = {}
        packed = packed_colors(surface.colors)
        if surface.colors.ndim == 1:
            look["color"] = int(packed)
        else:
            look["colors"] = packed
        if surface.numbers is not None:
            look["click_callback"] = partial(self._on_click, surface)
        return self._k3d.mesh(
            surface.vertices,
            surface.faces.astype(np.uint32),
            name=surface.name,
            flat_shading=False,
            side="double",
            custom_data={"triangles": len(surface.faces)},
            **look,
        )

    def _on_click(self, surface: Surface, message: Mapping[str, Any]) -> None:
        """A click met a triangle; of what is cut away nobody sees it."""
        assert surface.numbers is not None
        corner, place = int(message["face"][0]), np.asarray(message["position"], float)
        if self._cut is not None and ((place < self._cut[0]).any() or (place > self._cut[1]).any()):
            return
        if 0 <= corner < len(surface.numbers):
            self._clicked(surface.name, int(surface.numbers[corner]))

    def show_selected(self, surfaces: Sequence[Surface], numbers: Mapping[str, Sequence[int]]) -> None:
        """Light up these objects of surfaces, by name, and fade the others."""
        for surface in surfaces:
            if surface.numbers is None:
                continue
            tint = surface.colors
            lit = np.isin(surface.numbers, list(numbers.get(surface.name, ())))
            if lit.any():
                tint = np.where(lit[:, None], SELECTED, (1 - _FADED) * tint + _FADED * 0x50)
            self._surfaces[surface.name].colors = packed_colors(tint)

    def show_opacity(self, opacity: dict[str, float]) -> None:
        """How much of each surface shows; 0 hides it."""
        for name, mesh in self._surfaces.items():
            share = opacity[name]
            mesh.visible = share > 0
            if share > 0:
                mesh.opacity = share

    def show_plane(self, axis: str, plane: ImagePlane | None) -> None:
        """Show a picture across an axis; None: none."""
        old = self._planes.pop(axis, None)
        if plane is not None:
            low, high = np.array(plane.low), np.array(plane.high)
            columns, rows = (n for n in range(3) if n != plane.axis)
            across, down = np.zeros(3), np.zeros(3)
            across[columns], down[rows] = (high - low)[columns], (high - low)[rows]
            # the picture's first row is its upper one, and the page counts from the lower one
            place = np.concatenate([low + down, across, -down]).astype(np.float32)
            shown = self._k3d.texture(
                binary=encode_picture(plane.picture, 90), file_format="jpeg", puv=place, name=f"{axis} plane"
            )
            self._planes[axis] = shown
            self.widget += shown
        if old is not None:
            self._drop(old)

    def show_cut(self, scene: Scene3D) -> None:
        """Cut away what lies outside, and draw the edges of what is shown."""
        # how far the camera sees is a multiple of the grid, though nobody sees that
        self.widget.grid = [float(at) for at in (*scene.low, *scene.high)]
        low, high = scene.cut
        self._cut = None if scene.clip is None else (low, high)
        planes: list[list[float]] = []
        if scene.clip is not None:
            rim = 0.01 * float((high - low).min())
            for axis in range(3):
                toward = [0.0, 0.0, 0.0]
                toward[axis] = 1.0
                planes += [[*toward, float(rim - low[axis])], [*(-n for n in toward), float(high[axis] + rim)]]
        self.widget.clipping_planes = planes
        pairs = edges_of(low, high)
        if self._edges is None:
            points = np.concatenate([np.stack(pair) for pair in pairs]).astype(np.float32)
            numbers = np.arange(len(points), dtype=np.uint32).reshape(-1, 2)
            self._edges = self._k3d.lines(
                points, numbers, indices_type="segment", shader="simple", color=EDGE, name="edges"
            )
            self.widget += self._edges
        else:
            self._edges.vertices = np.concatenate([np.stack(pair) for pair in pairs]).astype(np.float32)

    @property
    def camera(self) -> Camera3D | None:
        """Where the user looks from; None before anything was shown."""
        given = list(self.widget.camera or [])
        if len(given) != 9:
            return None
        x, y, z, a, b, c, u, v, t = (float(value) for value in given)
        return Camera3D((x, y, z), (a, b, c), (u, v, t), float(self.widget.camera_fov))

    @camera.setter
    def camera(self, camera: Camera3D) -> None:
        self.widget.camera = [*camera.position, *camera.target, *camera.up]

    def _drop(self, shown: Any) -> None:
        self.widget -= shown
        close_tree(shown)

    def close(self) -> None:
        """Close everything; the plot itself last."""
        for shown in [*self._surfaces.values(), *self._planes.values(), *([self._edges] if self._edges else [])]:
            self._drop(shown)
        self._surfaces, self._planes, self._edges = {}, {}, None
        w.Widget.close(self.widget)  # k3d's own only clears its outputs


def packed_colors(colors: np.ndarray) -> np.ndarray:
    """Red, green and blue (..., 3) as one number each, 0xrrggbb."""
    parts = colors.astype(np.uint32)
    return np.asarray(parts[..., 0] << 16 | parts[..., 1] << 8 | parts[..., 2], np.uint32)
