"""Open a stack, look at it, say how large a voxel is, and put it into a workspace. Reads no file itself."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.errors import VoxloopError, WorkspaceError
from voxloop.panels.base.panel import Panel, classed, column, heading, labelled, row, section, show, text
from voxloop.panels.base.split import as_high_as_the_window, aside
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Attempt, Latest
from voxloop.panels.form.recent import Recent
from voxloop.panels.form.source_chooser import ChosenSource, SourceChooser
from voxloop.panels.volume.copy_bar import CopyBar
from voxloop.panels.volume.known import workspace_with
from voxloop.panels.volume.opened import OpenedVolume, datasets_in, open_image, open_source, timepoints_in
from voxloop.panels.volume.scale_bar import ScaleBar
from voxloop.panels.volume.start_page import StartPage, remember
from voxloop.panels.volume.target import Target
from voxloop.panels.volume.volume_checks import Check, facts, plane_checks
from voxloop.panels.volume.voxel_size import VoxelSize

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace


class VolumePanel(Panel):
    """Find a stack, check it, and add it to a workspace, or make a new workspace with it.

    Parameters
    ----------
    ws
        The workspace to add to; None offers to make one, or to open one that is there.
    path
        Opened at once where given; a folder without pictures is shown in the browser.

    Examples
    --------
    >>> path = vl.save_volume(volume, "cells.ome.tif")
    >>> panel = vl.VolumePanel(path="cells.ome.tif")
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
        as_high_as_the_window(self.widget)
        self.ws = ws
        self.opened: OpenedVolume | None = None
        self.view: PlaneView | None = None
        self._listeners: list[Callable[[Workspace], object]] = []
        self._resized: list[Callable[[], object]] = []
        self._asked: tuple[ChosenSource, dict[str, Any]] = (ChosenSource("path", ""), {})
        self._offering = False
        self._values: np.ndarray | None = None
        self.chooser = SourceChooser(self.choose, recent=recent)
        self.on_close(self._close_children)
        self._build()
        self._known: Latest[tuple[ChosenSource, Path | None]] = Latest(self, self._open_known)
        self._opening: Latest[OpenedVolume] = Latest(self, self._show_opened, failed=self._offer_what_is_missing)
        self._plane: Latest[np.ndarray] = Latest(self, self._show_plane_checks, failed=self._show_plane_fault)
        self._working: Attempt[Workspace] = Attempt(
            self, lambda work: work(), self._take_workspace, button=self.target.button, failed=self._show_failure
        )
        self._resizing: Attempt[tuple[Workspace, str, list[str]]] = Attempt(
            self, _resize, self._show_resized, button=self.target.button
        )
        if path is not None:
            self.chooser.open(path)

    def on_workspace(self, listener: Callable[[Workspace], object]) -> None:
        """Call ``listener(ws)`` on the UI thread when a workspace was made or opened, or an image added."""
        self._listeners.append(listener)

    def on_resized(self, listener: Callable[[], object]) -> None:
        """Call ``listener()`` on the UI thread when the voxel size of an image is another than before."""
        self._resized.append(listener)

    @property
    def volume(self) -> DataArray | None:
        """The volume on show, lazy; None before one was opened."""
        return self.opened.volume if self.opened else None

    @property
    def code(self) -> str:
        """The line of Python that the button runs."""
        return self.target.code

    # ----------------------------------------------------------------------------------------------------- opening

    def choose(self, source: ChosenSource) -> None:
        """Open what was chosen: a stack into the preview, a workspace, or the one that holds the image, as a whole."""
        if source.kind == "workspace":
            self.say("Opening the workspace …")
            self._working(partial(_open_workspace, source.text))
        elif self.ws is None and source.kind in ("path", "sample"):
            self.say(f"Opening {Path(source.text).name} …")
            look = partial(workspace_with, source, self.chooser.recent, Path.cwd())
            self._known.ask(lambda: (source, look()))
        else:
            self._open(source, {})

    def _open_known(self, looked: tuple[ChosenSource, Path | None]) -> None:
        """An image that is in a workspace already opens that workspace."""
        source, workspace = looked
        if workspace is None:
            self._open(source, {})
            return
        self.say(f"{Path(source.text).name} is in the workspace {workspace.name}; opening it …")
        self._working(partial(_open_workspace, str(workspace)))

    def _open(self, source: ChosenSource, arguments: dict[str, Any]) -> None:
        before = self.opened
        if before is not None and before.source != source:
            before = None
        self._asked = (source, arguments)
        self.say(f"Opening {Path(source.text).name} …")
        ws = self.ws
        if source.kind == "image" and ws is not None:
            self._opening.ask(lambda: open_image(ws, source.text, arguments))
            return
        self._opening.ask(lambda: open_source(source, arguments, before))

    def _reopen(self, **changes: Any) -> None:
        if self.opened is not None:
            arguments = {**self.opened.arguments, **changes}
            self._open(self.opened.source, {name: value for name, value in arguments.items() if value is not None})

    def _show_opened(self, opened: OpenedVolume) -> None:
        is_new = self.opened is None or self.opened.source != opened.source
        self.opened = opened
        self.scale_bar.forget()
        if is_new:
            self.target.suggest(opened)
            show(self._dataset, "dataset" in opened.arguments)
            show(self._timepoint, "timepoint" in opened.arguments)
        if opened.source.kind == "path":
            self.chooser.recent.add(opened.source.text)
        self.say("", "quiet")
        self._show_preview(opened.volume)
        self.voxel_size.show(opened)
        self._show_checks(facts(opened.volume))
        self.target.show(opened, self.ws)
        self._plane.ask(opened.middle_plane)

    def _offer_what_is_missing(self, error: BaseException) -> None:
        """A file with several datasets or time points: let the user choose one; any other error is shown."""
        datasets, times = datasets_in(str(error)), timepoints_in(str(error))
        if not isinstance(error, VoxloopError) or not (datasets or times):
            self.show_error(error)
            return
        source, arguments = self._asked
        self._offering = True
        show(self._dataset, bool(datasets) or "dataset" in arguments)
        show(self._timepoint, bool(times))
        self._show_stage()
        if datasets:
            self._dataset.options = [("choose one …", None), *((name, name) for name in datasets)]
            self.say(f"{Path(source.text).name} holds {len(datasets)} datasets; choose one.", "info")
        else:
            self._timepoint.max, self._timepoint.value = times - 1, 0
            self._open(source, {**arguments, "timepoint": 0})
        self._offering = False

    def _choose_part(self) -> None:
        """A dataset or a time point was chosen."""
        if self._offering:
            return
        source, arguments = self._asked
        if self._dataset.value is not None:
            arguments = {**arguments, "dataset": self._dataset.value}
        if "vx-hidden" not in self._timepoint._dom_classes:
            arguments = {**arguments, "timepoint": int(self._timepoint.value)}
        self._open(source, arguments)

    # ------------------------------------------------------------------------------------------ preview and checks

    def _show_preview(self, volume: DataArray) -> None:
        from voxloop.panels.view.plane_view import PlaneView

        if self.view is None:
            self.view = PlaneView(volume, height=0)
            self._picture.children = (self.view.widget,)
        else:
            self.view.show(volume)
        self._show_stage()
        show(self._details, True)
        show(self._do, True)

    def _show_stage(self) -> None:
        show(self._stage, True)
        show(self._hint, False)
        show(self.start.widget, False)

    def _show_plane_checks(self, plane: np.ndarray) -> None:
        self._values = plane[np.isfinite(plane)] if plane.dtype.kind == "f" else plane
        self._stretch()
        if self.opened is not None:
            self._show_checks([*facts(self.opened.volume), *plane_checks(plane)])

    def _show_plane_fault(self, error: BaseException) -> None:
        if not isinstance(error, VoxloopError):
            self.show_error(error)
        elif self.opened is not None:
            self._show_checks([*facts(self.opened.volume), Check("Values", str(error), "error")])

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
            if high <= low:
                high = low + 1
            self.view.set_contrast(low, high)

    # --------------------------------------------------------------------------------------------------- workspace

    @on_ui
    def add(self) -> None:
        """Add the image to the workspace, or make a workspace with it; what the button does."""
        opened, ws = self.opened, self.target.ws
        if opened is None:
            raise WorkspaceError("choose a stack first")
        if opened.source.kind == "image" and ws is not None:
            spacing = opened.arguments.get("spacing")
            if spacing is None:
                raise WorkspaceError("type the voxel size that is right first, or click a scale bar")
            self._resizing(ws, opened.source.text, spacing)
            return
        name = self.target.name
        how = {**self.target.arguments(), "progress": self.copy_bar.progress}
        self.copy_bar.begin()
        if ws is not None:
            self.say(f"Adding {name} …")
            self._working(partial(_add, ws, name, opened, how, self.target.times))
            return
        how["times"] = self.target.times
        work = partial(_create, self.target.folder, name, self.target.classes, opened, how)
        self.say("Making the workspace …")
        self._working(work)

    def _show_failure(self, error: BaseException) -> None:
        self.copy_bar.end()
        self.show_error(error)

    def _show_resized(self, resized: tuple[Workspace, str, list[str]]) -> None:
        """The size is another now; what was made with the old one is said, and panels are made anew."""
        _, name, remarks = resized
        for tell in self._resized:
            tell()
        if remarks:
            self.say(f"The voxel size of {name} is changed. " + ". ".join(remarks) + ".", "warning")
        else:
            self.say(f"The voxel size of {name} is changed; nothing was made with the old one.", "good")

    def _choose_image(self) -> None:
        """An image of the workspace was chosen, to be looked at and its size put right."""
        if self._image.value is not None:
            self._open(ChosenSource("image", self._image.value), {})

    def _take_workspace(self, ws: Workspace) -> None:
        self.copy_bar.end()
        if self.ws is ws:
            self.say(f"{self.target.name} is in {ws.name!r} now.", "good")
        else:
            self.say(f"Workspace {ws.name!r} is open.", "good")
        self.ws = ws
        self.in_thread(partial(remember, self.chooser.recent, ws), failed=lambda _: None)
        self._show_target()
        for listener in self._listeners:
            listener(ws)

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        self._picture = classed(w.VBox(), "vx-fills")
        self._dataset = classed(w.Dropdown(options=[], description="Dataset"), "vx-hidden")
        self._dataset.observe(self.handler(self._choose_part), "value")
        self._timepoint = classed(
            w.BoundedIntText(min=0, max=0, description="Time point", continuous_update=False), "vx-hidden"
        )
        self._timepoint.observe(self.handler(self._choose_part), "value")
        self.voxel_size = VoxelSize(self, self._reopen)
        self.scale_bar = ScaleBar(self, lambda: self.view, self.voxel_size.fill)
        about_image = "Look at an image of this workspace again, and put its voxel size right"
        self._image = w.Dropdown(options=[("choose …", None)], **labelled("Image here", about_image))
        self._image.observe(self.handler(self._choose_image), "value")
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
        self.target = Target(self, self.add)
        self.copy_bar = CopyBar(self)
        look = column(*self.voxel_size.widgets, self.scale_bar.widget, self._percentiles, classes=["vx-plain"])
        facts = column(
            section("Voxels", look), section("Checks", self._checks), section("Workspace", self.target.widget)
        )
        self._do = column(self.target.bar, self.copy_bar.widget)
        self._details = classed(aside(facts, self._do), "vx-volume-right", "vx-hidden")
        self._stage = column(row(self._dataset, self._timepoint), self._picture, classes=["vx-fills", "vx-hidden"])
        left = column(heading("Open"), self.chooser.widget, classes=["vx-volume-left"])
        self._hint = text("", "vx-dim")
        self.start = StartPage(self, self.chooser.recent, self.choose)
        parts = (self._hint, self.start.widget, self._image, self._stage, self.message.widget)
        middle = column(*parts, classes=["vx-volume-middle"])
        self.body(classed(w.HBox([left, middle, self._details]), "vx-volume"), message=False)
        self._show_target()

    def _show_target(self) -> None:
        self.target.show(self.opened, self.ws)
        images = self.ws.images.names if self.ws is not None else []
        hint = "Choose a stack, a sample or a workspace"
        if images:
            hint = f"In this workspace: {', '.join(images)}. Choose a further stack to add it"
        self._image.options = [("choose …", None), *((name, name) for name in images)]
        show(self._image, bool(images))
        show(self.start.widget, self.ws is None and self.opened is None)
        self._hint.value = html.escape(f"{hint}; its picture, voxel size and checks appear here first.")

    def _close_children(self) -> None:
        self.chooser.close()
        if self.view is not None:
            self.view.close()


def _open_workspace(path: str) -> Workspace:
    from voxloop.workspace.workspace import Workspace

    return Workspace.open(path)


def _create(
    folder: str, name: str, classes: list[dict[str, Any]], opened: OpenedVolume, how: dict[str, Any]
) -> Workspace:
    from voxloop.workspace.workspace import Workspace

    return Workspace.create(folder, image=opened.image, image_name=name, classes=classes, **how)


def _resize(ws: Workspace, name: str, spacing: Any) -> tuple[Workspace, str, list[str]]:
    return ws, name, ws.set_voxel_size(name, spacing)


def _add(ws: Workspace, name: str, opened: OpenedVolume, how: dict[str, Any], times: bool) -> Workspace:
    (ws.images.add_times if times else ws.images.add)(name, opened.image, **how)
    return ws
