"""How a training begins, in plain words: fresh, from earlier weights, from an earlier run altogether, or resumed."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.config import DeepConfig
from voxloop.errors import ConfigError, RunError
from voxloop.panels.base.panel import Panel, classed, column, labelled, show, text
from voxloop.runs.comparison import ancestors
from voxloop.runs.run import RESUMABLE
from voxloop.store.layout import RunPlace

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

FRESH, IMAGENET, WEIGHTS, SETTINGS, RESUME = "fresh", "imagenet", "weights", "settings", "resume"
#: what stands in the list, and what it means
MODES = {
    FRESH: ("Fresh", "The network knows nothing yet, or what a file of encoder weights knows."),
    IMAGENET: (
        "Encoder from ImageNet",
        "The half that looks has seen a million photographs; its weights are downloaded. "
        "Networks of planes alone have such an encoder.",
    ),
    WEIGHTS: ("From the weights of a run", "The network goes on from what that run learnt, with the settings below."),
    SETTINGS: (
        "Same weights, its settings to change",
        "The settings of that run are put into the form; change what you like, and its weights learn on.",
    ),
    RESUME: (
        "Resume exactly",
        "That run itself goes on from its last checkpoint, to the bit, as if it had never stopped.",
    ),
}


class StartChooser:
    """A list of five ways to begin, the run meant, and a line that says what will happen.

    ``change(**settings)`` puts settings into the form, ``load(config)`` replaces all of them.
    """

    def __init__(
        self,
        owner: Panel,
        ws: Workspace,
        change: Callable[..., object],
        load: Callable[[DeepConfig], object],
        changed: Callable[[], object],
    ) -> None:
        self._ws, self._change, self._load, self._changed = ws, change, load, changed
        self._runs: dict[str, list[str]] = {}
        self._showing = False
        self._was = FRESH
        self.mode_list = w.Dropdown(
            options=[(words, mode) for mode, (words, _) in MODES.items()],
            value=FRESH,
            **labelled("Start from", "What the network knows before its first step"),
        )
        self.run_list = w.Dropdown(options=[], **labelled("Run", "The run to take weights from, or to resume"))
        self.words = classed(text(), "vx-small", "vx-dim")
        self.mode_list.observe(owner.handler(self._chosen), "value")
        self.run_list.observe(owner.handler(self._chosen), "value")
        self.widget = column(self.mode_list, self.run_list, self.words)
        self._tell()

    @property
    def mode(self) -> str:
        """``"fresh"``, ``"imagenet"``, ``"weights"``, ``"settings"`` or ``"resume"``."""
        return str(self.mode_list.value)

    @property
    def of_a_run(self) -> bool:
        """Whether the training begins with something that a run left."""
        return self.mode not in (FRESH, IMAGENET)

    @property
    def run(self) -> Run | None:
        """The run meant; None for a fresh start, or where there is none to choose."""
        name = self.run_list.value
        if not self.of_a_run or name not in self._ws.runs:
            return None
        return self._ws.runs[str(name)]

    def offer(self, runs: Sequence[Run]) -> None:
        """The network trainings of the workspace, newest first."""
        deep = [run for run in runs if run.learner == "deep"]
        models = [run.name for run in deep if RunPlace(run.path).model.is_dir()]
        resumable = [run for run in deep if run.state in RESUMABLE]
        halted = [run.name for run in resumable if RunPlace(run.path).last_checkpoint.is_dir()]
        runs_by_mode = {WEIGHTS: models, SETTINGS: models, RESUME: halted}
        if runs_by_mode != self._runs:
            self._runs = runs_by_mode
            self._list_runs()

    def follow(self, config: DeepConfig) -> None:
        """Show what the form says, where a hand changed it there."""
        start_from = config.start_from
        if self.mode == RESUME or (self.of_a_run and self.run_list.value == start_from):
            return
        alone = IMAGENET if config.encoder_weights == "imagenet" and not config.volumetric else FRESH
        if start_from is None and self.mode == alone:
            return
        if start_from is not None and start_from not in self._runs.get(WEIGHTS, ()):
            return  # a folder: the form alone says it
        self._showing = True
        self.mode_list.value = self._was = alone if start_from is None else WEIGHTS
        self._list_runs()
        if start_from is not None:
            self.run_list.value = start_from
        self._showing = False
        self._tell()

    def _chosen(self) -> None:
        if self._showing:
            return
        self._list_runs()
        run = self.run
        if self.mode == SETTINGS and run is not None:
            self._load(self._config(run).changed(start_from=run.name))
        elif self.mode == WEIGHTS and run is not None:
            self._change(start_from=run.name)
        elif self.mode == IMAGENET:
            self._change(start_from=None, encoder_weights="imagenet")
        elif self.mode == FRESH:  # a file of weights stays
            self._change(start_from=None)
            if self._was == IMAGENET:
                self._change(encoder_weights=None)
        self._was = self.mode
        self._tell()
        self._changed()

    def _config(self, run: Run) -> DeepConfig:
        try:
            return DeepConfig.from_json(run.config.get("settings") or {})
        except ConfigError as error:
            raise RunError(f"the settings of {run.name!r} are of another version of voxloop: {error}") from error

    def _list_runs(self) -> None:
        names, keep = self._runs.get(self.mode, []), self.run_list.value
        was, self._showing = self._showing, True
        if list(self.run_list.options) != names:
            self.run_list.options = names
        if keep in names:
            self.run_list.value = keep
        else:
            self.run_list.value = next(iter(names), None)
        self._showing = was
        show(self.run_list, self.of_a_run and bool(names))
        self._tell()

    def _tell(self) -> None:
        run = self.run
        words = MODES[self.mode][1]
        if self.of_a_run and run is None:
            words = "No network was trained yet."
            if self.mode == RESUME:
                words = "No run was paused, stopped or interrupted."
        elif run is not None and self.mode == RESUME:
            words += f" {run.name} is {run.state} after {run.history.iteration:,} steps."
        elif run is not None:
            words += " " + " › ".join([*ancestors(self._ws.runs, run.name), run.name, "this run"])
        self.words.value = html.escape(words)


def code_of(run: str) -> str:
    """The line of Python that lets a run go on."""
    return f"run = ws.runs[{run!r}].resume()"
