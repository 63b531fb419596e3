"""Open a stack, look at it, say how large a voxel is, and put it into a workspace. Reads no file itself."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.errors import VolumeError, VoxloopError, WorkspaceError
from voxloop.geometry import AXES
from voxloop.panels.base.panel import (
    CopyCode,
    Panel,
    button,
    classed,
    column,
    heading,
    labelled,
    row,
    section,
    show,
    spacer,
    text,
)
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.fields import to_text
from voxloop.panels.form.file_list import Recent
from voxloop.panels.form.source_chooser import Source, SourceChooser
from voxloop.panels.volume.volume_checks import Check, facts, plane_checks

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace

UNITS = {"nm": 1e-3, "µm": 1.0, "mm": 1e3}
SLICES = {"neighbours in space": "space", "separate pictures": "frame"}


@dataclass(frozen=True, slots=True)
class Opened:
    """A volume with what opens it again: the source and the arguments of ``open_volume``."""

    source: Source
    volume: DataArray
    arguments: dict[str, Any] = field(default_factory=dict)
    classes: tuple[dict[str, Any], ...] = ()

    @property
    def image_code(self) -> str:
        """The source as Python."""
        return (
            f"vl.samples.load({self.source.text!r}).volume" if self.source.kind == "sample" else repr(self.source.text)
        )

    @property
    def image(self) -> Any:
        return self.volume if self.source.kind == "sample" else self.source.text


class VolumePanel(Panel):
    """Find a stack, check it, and add it to a workspace, or make a new workspace with it.

    Parameters
    ----------
    ws
        The workspace to add to; None offers to make one, or to open one that is there.
    path
        Opened at once where given; a folder without pictures is shown in the browser.
    """

    @on_ui
    def __init__(
        self,
        ws: Workspace | None = None,
        path: str | Path | None = None,
        *,
        recent: Recent | None = None,
        embedded: bool = False,
    ) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        self.opened: Opened | None = None
        self.view: PlaneView | None = None
        self._listeners: list[Callable[[Workspace], object]] = []
        self._generation = 0
        self._quiet = False
        self._half_open: tuple[Source, dict[str, Any]] = (Source("path", ""), {})
        self._values: np.ndarray | None = None
        self.chooser = SourceChooser(self.choose, recent=recent)
        self.on_close(self._close_children)
        self._build()
        if path is not None:
            self.chooser._address.value = str(path)

    def on_workspace(self, listener: Callable[[Workspace], object]) -> None:
        """Call ``listener(ws)`` on the UI thread when a workspace was made or opened, or an image added."""
        self._listeners.append(listener)

    @property
    def volume(self) -> DataArray | None:
        """The volume on show, lazy; None before one was opened."""
        return self.opened.volume if self.opened else None

    @property
    def code(self) -> str:
        """The line of Python that the button runs."""
        if self.opened is None:
            return ""
        given = "".join(f", {name}={value!r}" for name, value in self.opened.arguments.items())
        if self.ws is not None:
            return f"ws.images.add({self._name.value.strip()!r}, {self.opened.image_code}{given})"
        names = [item["name"] for item in self._chosen_classes()]
        folder, name = self._folder.value.strip(), self._name.value.strip()
        return (
            f"ws = vl.Workspace.create({folder!r}, image={self.opened.image_code}, image_name={name!r}, "
            f"classes={names!r}{given})"
        )

    # ----------------------------------------------------------------------------------------------------- opening

    def choose(self, source: Source) -> None:
        """Open what was chosen: a stack into the preview, a workspace as a whole."""
        if source.kind == "workspace":
            self._run(lambda: _workspace(source.text), self._take_workspace, "Opening the workspace …")
        else:
            self._open(source, {})

    def _open(self, source: Source, arguments: dict[str, Any]) -> None:
        self._generation += 1
        generation = self._generation
        known = self.opened if self.opened is not None and self.opened.source == source else None
        self.say(f"Opening {Path(source.text).name} …", "info")

        def work() -> tuple[int, Source, dict[str, Any], Opened | VoxloopError]:
            try:
                return generation, source, arguments, _open(source, arguments, known)
            except VoxloopError as error:
                return generation, source, arguments, error

        self.in_thread(work, self._show_opened)

    def _show_opened(self, found: tuple[int, Source, dict[str, Any], Opened | VoxloopError]) -> None:
        generation, source, arguments, opened = found
        if generation != self._generation:
            return  # something else was chosen meanwhile
        if isinstance(opened, VoxloopError):
            self._offer_what_is_missing(source, arguments, opened)
            return
        first = self.opened is None or self.opened.source != source
        self.opened = opened
        if first:
            self._name.value = _image_name(opened.volume)
            self._folder.value = str(Path.cwd() / f"{self._name.value.replace(' ', '-')}-voxloop")
            self._classes.value = ", ".join(item["name"] for item in opened.classes) or "background, object"
            show(self._dataset, "dataset" in opened.arguments)
            show(self._timepoint, "timepoint" in opened.arguments)
        if source.kind == "path":
            self.chooser.recent.add(source.text)
        self.say("", "quiet")
        self._show_preview(opened.volume)
        self._show_spacing(opened.volume)
        self._show_checks(facts(opened.volume))
        self._show_code()
        self.in_thread(lambda: (opened, _middle_plane(opened.volume)), self._show_plane_checks)

    def _offer_what_is_missing(self, source: Source, arguments: dict[str, Any], error: VoxloopError) -> None:
        """A file with several datasets or time points: let the user choose one; any other error is shown."""
        datasets, times = _datasets(str(error)), _timepoints(str(error))
        if not datasets and not times:
            self.show_error(error)
            return
        self._half_open = (source, arguments)
        self._quiet = True
        show(self._dataset, bool(datasets) or "dataset" in arguments)
        show(self._timepoint, bool(times))
        self._show_stage()
        if datasets:
            self._dataset.options = [("choose one …", None), *((name, name) for name in datasets)]
            self.say(f"{Path(source.text).name} holds {len(datasets)} datasets; choose one.", "info")
        else:
            self._timepoint.max, self._timepoint.value = times - 1, 0
            self._open(source, {**arguments, "timepoint": 0})
        self._quiet = False

    def _choose_part(self) -> None:
        """A dataset or a time point was chosen."""
        if self._quiet:
            return
        source, given = self._half_open
        if self._dataset.value is not None:
            given = {**given, "dataset": self._dataset.value}
        if "vx-hidden" not in self._timepoint._dom_classes:
            given = {**given, "timepoint": int(self._timepoint.value)}
        self._open(source, given)

    # ------------------------------------------------------------------------------------------ preview and checks

    def _show_preview(self, volume: DataArray) -> None:
        from voxloop.panels.view.plane_view import PlaneView

        if self.view is None:
            self.view = PlaneView(volume, height=380)
            self._picture.children = (self.view.widget,)
        else:
            self.view.show(volume)
        self._show_stage()
        show(self._details, True)

    def _show_stage(self) -> None:
        show(self._stage, True)
        show(self._hint, False)

    def _show_plane_checks(self, found: tuple[Opened, np.ndarray | VoxloopError]) -> None:
        opened, plane = found
        if opened is not self.opened:
            return
        more = [Check("Values", str(plane), "error")] if isinstance(plane, VoxloopError) else plane_checks(plane)
        if not isinstance(plane, VoxloopError):
            self._values = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
            self._stretch()
        self._show_checks([*facts(opened.volume), *more])

    def _show_checks(self, checks: list[Check]) -> None:
        lines = "".join(
            f'<div class="vx-check vx-check-{check.verdict}"><span>{html.escape(check.what)}</span>'
            f"<span>{html.escape(check.words)}</span></div>"
            for check in checks
        )
        self._checks.value = f'<div class="vx-checks">{lines}</div>'

    def _stretch(self) -> None:
        """Black and white at the percentiles chosen."""
        if self.view is not None and self._values is not None and self._values.size:
            low, high = (float(v) for v in np.percentile(self._values[..., ::2, ::2], self._percentiles.value))
            self.view.set_contrast(low, high if high > low else low + 1)

    def _show_spacing(self, volume: DataArray) -> None:
        from voxloop.volumes import spacing_of, spacing_sources

        spacing, sources = spacing_of(volume), spacing_sources(volume)
        self._quiet = True
        if set(sources) != {"assumed"}:
            self._unit.value = "nm" if max(spacing) < 1 else "µm"
        factor = UNITS[self._unit.value]
        for box, value, source in zip(self._spacing, spacing, sources, strict=True):
            box.value = "" if source == "assumed" else to_text(float(f"{value / factor:.6g}"))
        self._axes.value = str((self.opened.arguments if self.opened else {}).get("axes", ""))
        show(self._axes, volume.attrs.get("axes_from") != "metadata")
        kind = volume.attrs.get("z_kind", "space")
        self._slices.value = next(words for words, value in SLICES.items() if value == kind)
        show(self._slices, volume.sizes["z"] > 1)
        self._quiet = False

    def _spacing_changed(self) -> None:
        if self._quiet or self.opened is None:
            return
        words = [box.value.strip().replace(",", ".") for box in self._spacing]
        if not all(words):
            return
        try:
            values = [float(word) for word in words]
        except ValueError:
            raise VolumeError(f"voxel size {' × '.join(words)}: write three numbers, for z, y and x") from None
        factor = UNITS[self._unit.value]
        self._reopen(spacing=tuple(float(f"{value * factor:.9g}") for value in values))

    def _axes_changed(self) -> None:
        if not self._quiet:
            self._reopen(axes=self._axes.value.strip().lower() or None)

    def _slices_changed(self) -> None:
        if not self._quiet:
            self._reopen(z_kind=SLICES[self._slices.value])

    def _reopen(self, **changes: Any) -> None:
        if self.opened is not None:
            arguments = {**self.opened.arguments, **changes}
            self._open(self.opened.source, {name: value for name, value in arguments.items() if value is not None})

    # --------------------------------------------------------------------------------------------------- workspace

    @on_ui
    def add(self) -> None:
        """Add the image to the workspace, or make a workspace with it; what the button does."""
        opened, ws = self.opened, self.ws
        if opened is None:
            raise WorkspaceError("choose a stack first")
        if ws is not None:
            name = self._name.value.strip()
            self._run(lambda: _added(ws, name, opened), self._take_workspace, f"Adding {name} …")
            return
        folder, classes = self._folder.value.strip(), self._chosen_classes()
        name = self._name.value.strip()
        if not folder:
            raise WorkspaceError("say in which folder the workspace is made")
        self._run(lambda: _created(folder, name, classes, opened), self._take_workspace, "Making the workspace …")

    def _chosen_classes(self) -> list[dict[str, Any]]:
        known = {item["name"]: item for item in (self.opened.classes if self.opened else ())}
        names = [name.strip() for name in self._classes.value.split(",") if name.strip()]
        if names == list(known):
            return list(known.values())
        return [{"name": name} for name in names]

    def _run(self, work: Callable[[], Workspace], done: Callable[[Workspace], object], words: str) -> None:
        self.say(words, "info")
        self._button.disabled = True

        def guarded() -> Workspace | Exception:
            try:
                return work()
            except Exception as error:
                return error

        def finish(found: Workspace | Exception) -> None:
            self._button.disabled = False
            if isinstance(found, Exception):
                self.show_error(found)
            else:
                done(found)

        self.in_thread(guarded, finish)

    def _take_workspace(self, ws: Workspace) -> None:
        new, self.ws = self.ws is not ws, ws
        self.say(f"Workspace {ws.name!r} is open." if new else f"{self._name.value} is in {ws.name!r} now.", "good")
        self._show_target()
        for listener in self._listeners:
            listener(ws)

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        self._picture = w.VBox()
        self._dataset = classed(w.Dropdown(options=[], description="Dataset"), "vx-hidden")
        self._dataset.observe(self.handler(self._choose_part), "value")
        self._timepoint = classed(
            w.BoundedIntText(min=0, max=0, description="Time point", continuous_update=False), "vx-hidden"
        )
        self._timepoint.observe(self.handler(self._choose_part), "value")
        self._spacing = [classed(w.Text(placeholder=axis, continuous_update=False), "vx-short") for axis in AXES]
        for box in self._spacing:
            box.observe(self.handler(self._spacing_changed), "value")
        self._unit = classed(w.Dropdown(options=list(UNITS), value="nm"), "vx-short")
        self._unit.observe(self.handler(self._spacing_changed), "value")
        self._slices = w.Dropdown(
            options=list(SLICES),
            **labelled(
                "Slices are", "Neighbours are learnt from and filled together; separate pictures each stand alone"
            ),
        )
        self._slices.observe(self.handler(self._slices_changed), "value")
        self._axes = w.Text(
            placeholder="such as zyx",
            continuous_update=False,
            **labelled(
                "Axes",
                "A letter for each axis of the file, where it does not name them: t, c, z, y, x, and s for colours",
            ),
        )
        self._axes.observe(self.handler(self._axes_changed), "value")
        self._percentiles = w.FloatRangeSlider(
            value=(0.5, 99.5),
            min=0,
            max=100,
            step=0.1,
            readout_format=".1f",
            continuous_update=False,
            **labelled("Contrast %", "Percentiles of intensities shown as black and white"),
        )
        self._percentiles.observe(self.handler(self._stretch), "value")
        self._checks = text()
        self._name = w.Text(continuous_update=False, **labelled("Image name", "What the workspace calls it"))
        self._folder = w.Text(
            continuous_update=False, **labelled("Folder", "Where the workspace keeps labels, models and predictions")
        )
        self._classes = w.Text(
            continuous_update=False, **labelled("Classes", "What will be told apart, separated by commas")
        )
        for box in (self._name, self._folder, self._classes):
            box.observe(self.handler(self._show_code), "value")
        self._button = button("", self.handler(self.add), kind="primary")
        self._copy = CopyCode()
        size = row(classed(w.Label("Voxel size z, y, x"), "vx-label"), *self._spacing, self._unit)
        look = column(size, self._axes, self._slices, self._percentiles, classes=["vx-plain"])
        target = column(
            self._name, self._folder, self._classes, row(self._button, spacer(), self._copy), classes=["vx-plain"]
        )
        self._details = classed(
            w.VBox(
                [
                    classed(w.HBox([section("Voxels", look), section("Checks", self._checks)]), "vx-halves"),
                    section("Workspace", target),
                ]
            ),
            "vx-hidden",
        )
        self._stage = column(row(self._dataset, self._timepoint), self._picture, self._details, classes=["vx-hidden"])
        left = column(heading("Open"), self.chooser.widget, classes=["vx-volume-left"])
        self._hint = text("", "vx-dim")
        self.body(classed(w.HBox([left, column(self._hint, self._stage)]), "vx-volume"))
        self._show_target()

    def _show_target(self) -> None:
        adding = self.ws is not None
        self._button.description = "Add to workspace" if adding else "Create workspace"
        show(self._folder, not adding)
        show(self._classes, not adding)
        here = f"In this workspace: {', '.join(self.ws.images.names)}. " if self.ws and self.ws.images.names else ""
        what = "Choose a further stack to add it" if here else "Choose a stack, a sample or a workspace"
        self._hint.value = html.escape(f"{here}{what}; its picture, voxel size and checks appear here first.")
        self._show_code()

    def _show_code(self) -> None:
        self._copy.code = self.code

    def _close_children(self) -> None:
        self.chooser.close()
        if self.view is not None:
            self.view.close()


def _open(source: Source, arguments: dict[str, Any], known: Opened | None) -> Opened:
    from voxloop.volumes import open_volume, samples

    if source.kind == "path":
        return Opened(source, open_volume(source.text, **arguments), arguments)
    if known is not None:  # a sample is made, or fetched, once
        return Opened(source, open_volume(known.volume, **arguments), arguments, known.classes)
    sample = samples.load(source.text)
    keys = ("value", "name", "color", "background")
    classes = tuple({key: getattr(item, key) for key in keys} for item in sample.classes)
    return Opened(source, sample.volume, arguments, classes)


def _middle_plane(volume: DataArray) -> np.ndarray | VoxloopError:
    from voxloop.volumes import read_block, shape_zyx

    z, y, x = shape_zyx(volume)
    rows, columns = min(y, 1024), min(x, 1024)  # a first look must not read gigabytes
    top, left = (y - rows) // 2, (x - columns) // 2
    try:
        return read_block(volume, (slice(z // 2, z // 2 + 1), slice(top, top + rows), slice(left, left + columns)))
    except VoxloopError as error:
        return error
    except OSError as error:
        return VolumeError(f"the middle slice cannot be read: {error}")


def _workspace(path: str) -> Workspace:
    from voxloop.workspace.workspace import Workspace

    return Workspace.open(path)


def _created(folder: str, name: str, classes: list[dict[str, Any]], opened: Opened) -> Workspace:
    from voxloop.workspace.workspace import Workspace

    return Workspace.create(folder, image=opened.image, image_name=name, classes=classes, **opened.arguments)


def _added(ws: Workspace, name: str, opened: Opened) -> Workspace:
    ws.images.add(name, opened.image, **opened.arguments)
    return ws


def _image_name(volume: DataArray) -> str:
    from voxloop.store.document import safe_name

    return safe_name(str(volume.name or "image"))


def _datasets(words: str) -> list[str]:
    """The datasets that an error of ``open_volume`` lists."""
    listed = words.partition("name one with dataset=")[2]
    return re.findall(r"'([^']+)' \(", listed)


def _timepoints(words: str) -> int:
    """How many time points an error of ``open_volume`` speaks of; 0 where it is about something else."""
    found = re.search(r"choose one with timepoint=0 to (\d+)", words)
    return int(found[1]) + 1 if found else 0
