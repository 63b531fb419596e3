"""The whole loop in one panel: volume to review and objects as steps. Holds the panels, does nothing else."""

from __future__ import annotations

import html
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import ipywidgets as w

from voxloop.errors import LabelError, PredictionError, VoxloopError, WorkspaceError, unknown
from voxloop.panels.base.access import writer_words
from voxloop.panels.base.bell import Bell, EndedRuns
from voxloop.panels.base.full_screen import FullScreen
from voxloop.panels.base.guide import Guide, GuideProgress
from voxloop.panels.base.panel import Panel, badge, classed, close_tree, mark, row, show, spacer, text
from voxloop.panels.base.saved import Saved
from voxloop.panels.base.split import as_high_as_the_window
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Poll
from voxloop.runs.kinds import Kind

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.workspace.workspace import Workspace

Step = Literal["volume", "pictures", "label", "train", "predict", "review", "objects", "channels", "points"]
STEPS: tuple[Step, ...] = get_args(Step)
ABOUT: dict[Step, str] = {
    "volume": "Find a stack, check it, put it into a workspace",
    "pictures": "Many images, frames or tiles: find, flag, share out, open",
    "label": "Paint a few strokes of each class",
    "train": "Learn from the strokes: seconds or minutes",
    "predict": "Apply a model to the picture",
    "review": "Accept what is right, correct what is not",
    "objects": "From a prediction to separate objects and a table of them",
    "channels": "Filters of the image to look at, to threshold and to learn from",
    "points": "Bodies with nodes, spots, boxes, a class for each frame",
}
#: where runs of a kind are started and shown
WORK: dict[Kind, Step] = {
    "train": "train",
    "predict": "predict",
    "batch": "predict",
    "objects": "objects",
    "channels": "channels",
}


@dataclass(frozen=True, slots=True)
class RunsSeen:
    """What a look at the runs gave: steps at work, markup that says who writes, kinds and states of runs."""

    busy: set[Step] = field(default_factory=set)
    writer: str = ""
    kinds: set[Kind] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)


class Workbench(Panel):
    """All panels of a workspace, one at a time; each is built when its step is first opened and then stays.

    Parameters
    ----------
    ws
        A workspace; None begins with finding a stack or a workspace.
    step
        Where to begin: ``"volume"``, ``"pictures"``, ``"label"``, ``"train"``, ``"predict"``, ``"review"``,
        ``"objects"``, ``"channels"`` or ``"points"``.
    guide
        Show a line with the next of five steps; None: unless it was closed for good.

    Examples
    --------
    >>> bench = vl.Workbench(ws, step="label")
    >>> bench.go("train")
    >>> bench.step
    'train'
    """

    @on_ui
    def __init__(self, ws: Workspace | None = None, *, step: Step | None = None, guide: bool | None = None) -> None:
        super().__init__()
        as_high_as_the_window(self.widget)
        self.ws = ws
        self.panels: dict[Step, Panel] = {}
        self._step: Step | None = None
        self._last_view: PlaneView | None = None
        self._saved = Saved()
        self._busy: Poll[RunsSeen] = Poll(self, _look, self._show_busy, failed=self._look_failed)
        self._seen: RunsSeen | None = None
        self._guide = Guide(self, guide)
        self._bell, self._ended = Bell(), EndedRuns()
        self._name, self._writer = text("", "vx-title"), text()
        self._buttons = {name: self._step_button(name) for name in STEPS}
        self._stage = classed(w.VBox(), "vx-stage")
        self._bar = classed(w.HBox(), "vx-steps")
        self._number_steps()
        tools = (self._saved.widget, self._bell, FullScreen())
        self._head = row(self._name, self._writer, self._bar, spacer(), *tools, classes=["vx-head"])
        self.body(self._head, self._guide.widget, self._stage)
        self.on_close(self._close_panels)
        self._show_workspace()
        self.go(step or self._first_step())
        self.every(1.0, self._tick)

    # ------------------------------------------------------------------------------------------------------- steps

    @property
    def step(self) -> Step | None:
        """The step on show."""
        return self._step

    @on_ui
    def go(self, step: Step) -> None:
        """Show a step. What keeps it from being shown is said, and the step before stays."""
        if step not in STEPS:
            raise WorkspaceError(unknown("step", step, STEPS))
        if step != "volume" and self.ws is None:
            self.say("Open a stack first: choose one, then create a workspace with it.", "warning")
            return
        if step == self._step:
            return
        if step not in self.panels:
            try:
                self.panels[step] = self._make(step)
            except VoxloopError as error:
                self.show_error(error)
                return
        self._step = step
        self._number_steps()
        for name, panel in self.panels.items():  # the step before goes first: never two pictures in sight
            if name != step:
                mark(panel.widget, "vx-away", True)
        self._stage.children = tuple(panel.widget for panel in self.panels.values())
        mark(self.panels[step].widget, "vx-away", False)
        for name, button in self._buttons.items():
            mark(button, "vx-here", name == step)
        self.say("", "quiet")
        self._carry_view(self.panels[step])
        refresh = getattr(self.panels[step], "refresh", None)
        if refresh is not None:
            refresh()

    def _make(self, step: Step) -> Panel:
        """A step's panel. Modules are imported when their step is first opened, so that the first one is there soon."""
        if step == "volume":
            from voxloop.panels.volume.volume_panel import VolumePanel

            volume = VolumePanel(self.ws, embedded=True)
            volume.on_workspace(self._take_workspace)
            volume.on_resized(self._drop_panels)
            return volume
        assert self.ws is not None
        if step == "pictures":
            from voxloop.panels.pictures.pictures_panel import PicturesPanel

            return PicturesPanel(self.ws, on_open=self._open_item, embedded=True)
        if step == "label":
            from voxloop.panels.label.label_panel import LabelPanel

            return LabelPanel(self.ws, embedded=True)
        if step == "train":
            from voxloop.panels.train.train_panel import TrainPanel

            train = TrainPanel(self.ws, embedded=True)
            train.presets.left_out.look = self._look_at_doubts
            return train
        if step == "predict":
            from voxloop.panels.predict.predict_panel import PredictPanel

            return PredictPanel(self.ws, embedded=True)
        if step == "objects":
            from voxloop.panels.objects.objects_panel import ObjectsPanel

            return ObjectsPanel(self.ws, embedded=True)
        if step == "channels":
            from voxloop.panels.channels.channels_panel import ChannelsPanel

            return ChannelsPanel(self.ws, embedded=True)
        if step == "points":
            from voxloop.panels.points.points_panel import PointsPanel

            return PointsPanel(self.ws, embedded=True)
        from voxloop.panels.review.review_panel import ReviewPanel

        return ReviewPanel(self.ws, embedded=True)

    def _open_item(self, item: str) -> None:
        """Label an image, a frame or a tile; the keys of the next step go through the grid that it was opened in."""
        pictures, ws = self.panels["pictures"], self.ws
        assert ws is not None
        step: Step = "label" if ws.levels.painted or not ws.levels.names else "points"
        self.go(step)
        if self.step != step:
            return
        catalogue, panel = pictures.catalogue, self.panels[step]  # type: ignore[attr-defined]
        panel.items.follow(catalogue, pictures.order, item)  # type: ignore[attr-defined]

    def _look_at_doubts(self) -> None:
        """Strokes that models contradict, at the picture."""
        if self.ws is not None and not self.ws.predictions:
            raise PredictionError("predict first: strokes in doubt are looked at beside a prediction, in Review")
        self.go("review")
        review = self.panels.get("review")
        if review is not None and self.step == "review":
            review.look_for_doubts()  # type: ignore[attr-defined]

    def _carry_view(self, panel: Panel) -> None:
        """The picture opens at the plane, zoom and contrast at which the step before left it."""
        view = view_of(panel)
        if view is None:
            return
        last, self._last_view = self._last_view, view
        if last is None or last is view or last.closed or last.planes.shape != view.planes.shape:
            return
        view.go_to_plane(last.index, last.axis)
        with view.widget.hold_sync():
            view.widget.contrast = last.widget.contrast
            view.widget.picture = last.widget.picture
            if last.widget.camera is not None:
                view.widget.camera = dict(last.widget.camera)

    # --------------------------------------------------------------------------------------------------- workspace

    def _take_workspace(self, ws: Workspace) -> None:
        """Another workspace, or a new image in this one: the panels that show the old state are made anew."""
        self._drop_panels()
        self.ws, self._ended, self._seen = ws, EndedRuns(), None
        self._show_workspace()
        self.go(self._first_step())

    def _drop_panels(self) -> None:
        """The panels that show an old state are made anew when their step is opened."""
        for name in [name for name in self.panels if name != "volume"]:
            self.panels.pop(name).close()
        self._last_view = None
        self._stage.children = tuple(panel.widget for panel in self.panels.values())

    def _first_step(self) -> Step:
        """Where to begin: with labelling, once there is an image."""
        if self.ws is None or not self.ws.images.names:
            return "volume"
        return "points" if self.ws.levels.names and not self.ws.levels.painted else "label"

    def _show_workspace(self) -> None:
        ws = self.ws
        name = ws.name if ws is not None else "voxloop"
        self._name.value = html.escape(name)
        self._writer.value = _writer_badge(ws) if ws is not None else ""
        for name, button in self._buttons.items():
            button.disabled = ws is None and name != "volume"
        self._number_steps()
        if ws is None or not ws.images.names:
            show(self._saved.widget, False)

    def _tick(self) -> None:
        self._show_saved()
        self._number_steps()
        if self.ws is not None:
            self._busy.now(self.ws)
        painted = self.ws is None or not self.ws.levels.names or bool(self.ws.levels.painted)
        if not painted:  # it leads through painting
            show(self._guide.widget, False)
        if self._guide.wanted and painted and (self.ws is None or self._seen is not None):
            self._guide.follow(self._progress())

    def _progress(self) -> GuideProgress:
        """What was done so far, for the guide."""
        ws, label = self.ws, self.panels.get("label")
        if ws is None or not ws.images.names:
            return GuideProgress()
        painted, missing = 0, ("", "")
        labels = getattr(label, "labels", None)
        with suppress(LabelError, WorkspaceError):  # closed in a cell
            if labels is None and ws.levels.painted:
                labels = ws.labels(ws.levels.painted[0], ws.images.names[0])
            if labels is not None:
                counts = labels.counts()
                left = [item for item in labels.level.classes if not counts.get(item.value)]
                painted = len(labels.level.classes) - len(left)
                missing = (left[0].name, left[0].shortcut or str(left[0].value)) if left else missing
        live = getattr(label, "live", None)
        looked = live is not None and live.place is not None
        kinds = self._seen.kinds if self._seen is not None else set()
        predicted = "predict" in kinds or "batch" in kinds
        return GuideProgress(True, painted, looked, "train" in kinds, predicted, missing, self._step == "label")

    def _look_failed(self, error: BaseException) -> None:
        """A run deleted, or a workspace closed, while it is looked at: the next look shows what there is."""
        if not isinstance(error, OSError | VoxloopError):
            self.show_error(error)

    def _show_saved(self) -> None:
        """What is safe on disk, of the labels that are being painted."""
        ws = self.ws
        panel = self.panels.get("label")
        labels = getattr(panel, "labels", None)
        with suppress(LabelError, WorkspaceError):  # a workspace without levels, or closed in a cell
            if labels is None and ws is not None and ws.images.names and ws.levels.painted:
                labels = ws.labels(ws.levels.painted[0], ws.images.names[0])
        # where there is a brush, the line stands beside it
        show(self._saved.widget, labels is not None and self._step not in ("label", "review"))
        if labels is not None:
            self._saved.follow(labels)
            self._saved.show()

    def _show_busy(self, seen: RunsSeen) -> None:
        self._seen, self._writer.value = seen, seen.writer
        for words, kind in self._ended.follow(seen.states):
            self._bell.ring(words, kind)
            self.say(f"{words}.", "good" if kind == "good" else "warning")
        for name, button in self._buttons.items():
            mark(button, "vx-busy", name in seen.busy)

    def _number_steps(self) -> None:
        """The steps in sight; the grid of pictures is one where there is more than one picture."""
        steps = [name for name in STEPS if name != "pictures" or self._step == name or _are_many(self.ws)]
        for number, name in enumerate(steps, 1):
            self._buttons[name].description = f"{number}  {name.capitalize()}"
        buttons = tuple(self._buttons[name] for name in steps)
        if self._bar.children != buttons:
            self._bar.children = buttons

    def _step_button(self, step: Step) -> w.Button:
        button = w.Button(description=step.capitalize(), tooltip=ABOUT[step])
        button.on_click(self.handler(lambda: self.go(step)))
        return button

    def _close_panels(self) -> None:
        self._saved.close()
        for button in self._buttons.values():
            close_tree(button)  # those out of sight, too
        for panel in self.panels.values():
            panel.close()


def view_of(panel: Panel) -> PlaneView | None:
    """The picture of a panel, where it has one."""
    from voxloop.panels.view.plane_view import PlaneView

    view = getattr(panel, "view", None)
    return view if isinstance(view, PlaneView) else None


def _are_many(ws: Workspace | None) -> bool:
    """Whether there is more than one image, frame or tile to work through."""
    if ws is None:
        return False
    infos = ws.store.document.images
    return len(infos) > 1 or bool(ws.tiles.names) or any(info.framed and info.shape[0] > 1 for info in infos)


def _look(ws: Workspace) -> RunsSeen:
    busy: set[Step] = set()
    kinds: set[Kind] = set()
    states: dict[str, str] = {}
    for run in ws.runs.values():
        kinds.add(run.kind)
        states[run.name] = state = run.state
        if state in ("running", "queued", "stopping"):
            busy.add(WORK[run.kind])
    return RunsSeen(busy, _writer_badge(ws), kinds, states)


def _writer_badge(ws: Workspace) -> str:
    if not ws.read_only:
        return ""
    writer = writer_words(ws)
    words = f"read-only: written by {writer}" if writer else "read-only"
    return badge(words, "warn")
