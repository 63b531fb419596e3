"""How large a voxel is, what axes and slices are, as fields. Knows a volume's metadata, opens nothing."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

from voxloop.errors import VolumeError
from voxloop.geometry import AXES
from voxloop.panels.base.panel import Panel, classed, labelled, row, show
from voxloop.panels.form.fields import to_text
from voxloop.panels.volume.opened import OpenedVolume

UNITS = {"nm": 1e-3, "µm": 1.0, "mm": 1e3}
#: what is asked for, by how many lengths there are
_WHAT = {3: "three numbers, for z, y and x", 2: "two numbers, for y and x"}
SLICES = {"neighbours in space": "space", "separate pictures": "frame"}


class VoxelSize:
    """Three lengths with their unit, the order of the axes where the file names none, and what slices are.

    ``changed(spacing=..., axes=..., z_kind=...)`` is called with what was given anew, ``spacing`` in micrometres; axes
    are None where they are left to the file.
    """

    def __init__(self, panel: Panel, changed: Callable[..., object]) -> None:
        self._changed = changed
        self._showing = False
        self._flat = False
        self._lengths = [classed(w.Text(placeholder=axis, continuous_update=False), "vx-short") for axis in AXES]
        self._unit = classed(w.Dropdown(options=list(UNITS), value="nm", tooltip="Unit of the voxel size"), "vx-short")
        for control in (*self._lengths, self._unit):
            control.observe(panel.handler(self._size_given), "value")
        about_slices = "Neighbouring slices are trained on and filled together; separate pictures one by one"
        self._slices = w.Dropdown(options=list(SLICES), **labelled("Slices are", about_slices))
        self._slices.observe(panel.handler(self._slices_given), "value")
        about_axes = "A letter for each axis of the file, where it does not name them: t, c, z, y, x, and s for colours"
        self._axes = w.Text(placeholder="such as zyx", continuous_update=False, **labelled("Axes", about_axes))
        self._axes.observe(panel.handler(self._axes_given), "value")
        size = row(classed(w.Label("Voxel size z, y, x"), "vx-label"), *self._lengths, self._unit)
        self.widgets = (size, self._axes, self._slices)

    def show(self, opened: OpenedVolume) -> None:
        """Show what is known of a volume, which tells nobody."""
        from voxloop.volumes import spacing_of, spacing_sources

        volume = opened.volume
        spacing, sources = spacing_of(volume), spacing_sources(volume)
        kind = volume.attrs.get("z_kind", "space")
        self._flat = volume.sizes["z"] == 1 or kind == "frame"
        self._showing = True
        try:
            if set(sources) != {"assumed"}:
                self._unit.value = "nm" if max(spacing) < 1 else "µm"
            factor = UNITS[self._unit.value]
            for box, length_um, source in zip(self._lengths, spacing, sources, strict=True):
                box.value = "" if source == "assumed" else to_text(float(f"{length_um / factor:.6g}"))
            self._axes.value = str(opened.arguments.get("axes", ""))
            self._slices.value = next(words for words, value in SLICES.items() if value == kind)
        finally:
            self._showing = False
        show(self._axes, volume.attrs.get("axes_from") != "metadata")
        show(self._slices, volume.sizes["z"] > 1)

    def fill(self, sizes_um: dict[str, float]) -> None:
        """Fill in what was measured of some axes, as if it were typed; a z that nobody knows is left open."""
        self._showing = True
        try:
            if not any(box.value for box in self._lengths):
                self._unit.value = "nm" if max(sizes_um.values()) < 1 else "µm"
            factor = UNITS[self._unit.value]
            for axis, box in zip(AXES, self._lengths, strict=True):
                if axis in sizes_um:
                    box.value = to_text(float(f"{sizes_um[axis] / factor:.6g}"))
        finally:
            self._showing = False
        self._size_given()

    def _size_given(self) -> None:
        words = [box.value.strip().replace(",", ".") for box in self._lengths]
        if self._flat and not words[0]:  # neither a plane nor separate pictures have a size along z
            words = words[1:]
        if self._showing or not all(words):
            return
        try:
            lengths = [float(word) for word in words]
        except ValueError:
            raise VolumeError(f"voxel size {' × '.join(words)}: write {_WHAT[len(words)]}") from None
        factor = UNITS[self._unit.value]
        self._changed(spacing=tuple(float(f"{length * factor:.9g}") for length in lengths))

    def _axes_given(self) -> None:
        if not self._showing:
            self._changed(axes=str(self._axes.value).strip().lower() or None)

    def _slices_given(self) -> None:
        if not self._showing:
            self._changed(z_kind=SLICES[self._slices.value])
