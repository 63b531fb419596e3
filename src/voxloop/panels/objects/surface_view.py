"""Surfaces of objects in three dimensions, to turn and zoom with the mouse. K3D draws; knows no workspace."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import ipywidgets as w
import numpy as np

from voxloop.errors import PredictionError
from voxloop.extras import install_line
from voxloop.geometry import Box
from voxloop.objects.result import box_of
from voxloop.panels.base.panel import Panel, close_tree, labelled, row, show, spacer, text
from voxloop.panels.base.style import PALETTE
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Latest

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray

    from voxloop.objects import Objects

#: voxels along the longest side of an object from which a coarser resolution is shown
FINE = 96
#: width of the smoothing against the steps of voxels, in their longest edges
SMOOTH = 0.5
BACKGROUND, TEXT, GRID = 0x17181A, 0xD8D8D8, 0x3A3C40

Mesh = tuple[int, np.ndarray, np.ndarray]


class SurfaceView(Panel):
    """The surfaces of objects, in micrometres.

    Drag turns, the wheel zooms, a drag with the right button moves; a click on an object names it.

    Parameters
    ----------
    objects
        What :meth:`Workspace.objects` made of a stack.
    numbers
        Which to show; None: the largest.
    most
        So many at most where ``numbers`` is not given.
    on_click
        Called with the number of the object that is clicked on.

    Raises
    ------
    PredictionError
        The objects are flat, a number does not exist, or k3d is not installed.
    """

    @on_ui
    def __init__(
        self,
        objects: Objects,
        numbers: Sequence[int] | None = None,
        *,
        most: int = 30,
        height: int = 480,
        on_click: Callable[[int], object] | None = None,
        embedded: bool = False,
    ) -> None:
        try:
            import k3d
        except ImportError:
            raise PredictionError(f"surfaces are drawn by k3d, which is not installed: {install_line('k3d')}") from None
        if objects.labels.sizes["z"] == 1:
            raise PredictionError("objects of a single picture are flat; surfaces are shown of objects in stacks")
        super().__init__(embedded=embedded)
        self._k3d, self._on_click = k3d, on_click
        self.objects = objects
        self.numbers: tuple[int, ...] = ()
        self._chosen: Sequence[int] | None = numbers
        self._newest: tuple[int, ...] = ()  # of which meshes are made, or were
        self._surfaces: Latest[tuple[tuple[int, ...], list[Mesh]]] = Latest(
            self, self._draw, failed=partial(self._show_failure, "the surfaces could not be made")
        )
        self._tables: Latest[DataFrame] = Latest(
            self, self._begin, failed=partial(self._show_failure, "the table could not be read")
        )
        self.plot = k3d.plot(
            height=height,
            background_color=BACKGROUND,
            label_color=TEXT,
            grid_color=GRID,
            menu_visibility=False,
            axes=["x", "y", "z"],
            axes_helper=0,
            antialias=2,
            camera_auto_fit=False,
            mode="callback",
        )
        self._most = w.BoundedIntText(
            value=most, min=1, max=1000, **labelled("Largest", "How many objects are drawn, the largest first")
        )
        self._most.observe(self.handler(self._update), "value")
        self._words = text("reading the table …", "vx-dim")
        show(self._most, numbers is None)
        self.body(self.plot, row(self._most, spacer(), self._words))
        self.on_close(lambda: w.Widget.close(self.plot))  # k3d's own only clears its outputs
        self.on_close(self._clear)
        self._table: DataFrame | None = None
        self._tables.ask(objects.table)

    @on_ui
    def choose(self, numbers: Sequence[int] | None) -> None:
        """Show other objects; None: the largest."""
        self._chosen = numbers
        show(self._most, numbers is None)
        self._update()

    def _show_failure(self, words: str, error: BaseException) -> None:
        self._words.value = words
        self.show_error(error)

    def _begin(self, table: DataFrame) -> None:
        self._table = table
        self._update()

    def _update(self) -> None:
        table = self._table
        if table is None:
            return
        if self._chosen is None:
            numbers = tuple(int(number) for number in table["volume_um3"].nlargest(int(self._most.value)).index)
        else:
            numbers = tuple(int(number) for number in self._chosen)
            missing = [number for number in numbers if number not in table.index]
            if missing:
                raise PredictionError(f"there is no object {missing[0]}; they are numbered 1 to {self.objects.count}")
        self._newest = numbers
        self._words.value = f"making {len(numbers)} surfaces …"
        self._surfaces.ask(partial(self._make, numbers, table))

    def _make(self, numbers: tuple[int, ...], table: DataFrame) -> tuple[tuple[int, ...], list[Mesh]]:
        """Surfaces of these objects. Runs beside the UI; ends early where others were asked for meanwhile."""
        from voxloop.volumes import scales

        resolutions = scales(self.objects.labels)
        meshes: list[Mesh] = []
        for number in numbers:
            if self.closed or numbers is not self._newest:
                break
            line = table.loc[number]
            box = box_of(line)
            meshes.append(self._mesh(number, box, resolutions))
        return numbers, meshes

    def _mesh(self, number: int, box: Box, resolutions: Sequence[DataArray]) -> Mesh:
        """The surface of one object, which lies in ``box``; of a large one at a coarser resolution."""
        from voxloop.objects.meshes import object_mesh
        from voxloop.volumes import spacing_of

        finest = spacing_of(resolutions[0])
        for labels in resolutions:
            spacing = spacing_of(labels)
            factors = [coarse / fine for coarse, fine in zip(spacing, finest, strict=True)]
            start = [int(at / factor) for at, factor in zip(box.start, factors, strict=True)]
            stop = [math.ceil(at / factor) for at, factor in zip(box.stop, factors, strict=True)]
            coarse_box = Box.from_json(list(zip(start, stop, strict=True)))
            if max(coarse_box.shape) <= FINE:
                break
        try:
            region = coarse_box.clip(labels.shape).slices
            return number, *object_mesh(labels, number, region, smooth_um=SMOOTH * max(spacing))
        except PredictionError:  # too thin to be smoothed, or lost at this resolution
            return number, *self.objects.mesh(number)

    def _draw(self, made: tuple[tuple[int, ...], list[Mesh]]) -> None:
        numbers, meshes = made
        self._clear()
        for number, vertices, faces in meshes:
            mesh = self._k3d.mesh(
                vertices,
                faces.astype(np.uint32),
                color=color_of(number),
                name=f"object {number}",
                flat_shading=False,
                click_callback=self.handler(lambda _, number=number: self._clicked(number)),
            )
            self.plot += mesh
        self.plot.camera = self.plot.get_auto_camera(factor=0.8, yaw=-60, pitch=60)
        self.numbers = numbers
        triangles = sum(len(faces) for _, _, faces in meshes)
        count = f"{len(numbers):,}"
        if len(numbers) < self.objects.count:
            count += f" of {self.objects.count:,}"
        self._words.value = f"{count} objects, {triangles:,} triangles; axes in µm"

    def _clear(self) -> None:
        for mesh in list(self.plot.objects):
            self.plot -= mesh
            close_tree(mesh)

    def _clicked(self, number: int) -> None:
        assert self._table is not None
        self._words.value = f"object {number}, {self._table.loc[number, 'volume_um3']:.3g} µm³"
        if self._on_click is not None:
            self._on_click(number)


def color_of(number: int) -> int:
    """A colour for an object, 0xrrggbb; neighbouring numbers differ."""
    return int(PALETTE[number % len(PALETTE)].lstrip("#"), 16)
