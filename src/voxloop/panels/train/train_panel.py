"""Start training and see what was trained: labels so far, learner, settings, runs. Trains nothing itself."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import Config, presets
from voxloop.config.commands import resume_command, train_command
from voxloop.config.network import ENCODERS
from voxloop.errors import ConfigError, RunError
from voxloop.machine import machine
from voxloop.panels.base.panel import (
    Panel,
    classed,
    column,
    heading,
    labelled,
    row,
    show,
    spacer,
    swatch,
    table,
    text,
)
from voxloop.panels.base.rows import Row
from voxloop.panels.base.ui import on_ui
from voxloop.panels.form.form import Form
from voxloop.panels.train.encoder_names import EncoderNames
from voxloop.panels.train.label_watch import LabelWatch
from voxloop.panels.train.learners import CONFIGS, HELP, LABELS, Learner, missing
from voxloop.panels.train.outlook import Outlook, note_of
from voxloop.panels.train.overview import ClassFacts, preflight
from voxloop.panels.train.preset_chooser import PresetChooser
from voxloop.panels.train.run_stage import RunStage
from voxloop.panels.train.set_editor import SetEditor
from voxloop.panels.train.start_bar import StartBar
from voxloop.panels.train.start_chooser import FRESH, RESUME, StartChooser, code_of
from voxloop.runs.spare import NEEDED_GB

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

_NETWORK = "voxloop.deep.learner:train"


class TrainPanel(Panel):
    """Choose a learner, look over its settings, press Train, watch the run.

    ``panel.config``, ``panel.code`` and ``panel.train()`` are what the form, 'Copy as code' and the button stand for.
    """

    @on_ui
    def __init__(self, ws: Workspace, *, embedded: bool = False) -> None:
        super().__init__(embedded=embedded)
        self.ws = ws
        self._run_listeners: list[Callable[[Run], object]] = []
        self._forms: dict[Learner, Form[Any]] = {}
        self._labels = LabelWatch(ws, self._edited, self.on_close)
        self._facts: list[ClassFacts] = []
        self._models: list[str] = []
        self._stale = True
        self._looking = False
        self._touched = self._refused = self._opened = False
        self._busy = False
        self._offered: tuple[list[str], list[str]] = ([], [])
        self._build()
        self.learner = "shallow" if machine().small or missing("network") else self._learner_so_far()
        self._touched = False  # a process that loads the network is started once somebody means to use one
        self.refresh()
        self.every(1.0, self._tick)
        self.on_close(self._close_children)

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def learner(self) -> Learner:
        """``"shallow"`` (seconds) or ``"network"`` (minutes)."""
        return "network" if self._learner.value == "network" else "shallow"

    @learner.setter
    def learner(self, learner: Learner) -> None:
        if learner not in CONFIGS:
            raise ConfigError(f"learner {learner!r} is not known; there are 'shallow' and 'network'")
        self.ui.call(setattr, self._learner, "value", learner)
        self.ui.call(self._show_learner)

    @property
    def form(self) -> Form[Any]:
        """The settings of the chosen learner."""
        return self._forms[self.learner]

    @property
    def config(self) -> Config:
        """What the form says, for the level chosen."""
        config: Config = self.form.value
        several = len(self.ws.levels.names) > 1 and not getattr(config, "training_set", None)  # a set has its levels
        return config.changed(level=self._level.value) if several else config

    @property
    def run(self) -> Run | None:
        """The run that is watched."""
        return self.runs.run

    @property
    def code(self) -> str:
        """The line of Python that the Train button runs."""
        return self._resumes(code_of) or self.bar.code_of(self.config)

    @property
    def command(self) -> str:
        """The command line that does the same from a terminal."""
        resume = self._resumes(lambda run: resume_command(self.ws.path, run))
        return resume or train_command(self.ws.path, self.config, **self.bar.arguments)

    def _resumes(self, words: Callable[[str], str]) -> str | None:
        """``words`` of the run that is to go on; None where a new one is made."""
        run = self.start.run if self.learner == "network" and self.start.mode == RESUME else None
        return words(run.name) if run is not None else None

    @property
    def forecast(self) -> dict[str, Any] | None:
        """Time and memory of the settings shown, as :meth:`voxloop.deep.begin.forecast.Forecast.to_json` tells them.

        None for the shallow learner, and while they are not known.
        """
        return self.ahead.forecast(self._question())

    def on_run(self, listener: Callable[[Run], object]) -> None:
        """Call ``listener(run)`` on the UI thread when a run was started or opened here."""
        self._run_listeners.append(listener)

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def train(self) -> None:
        """Start a run with the settings shown; what keeps it from starting is said in the message line."""
        if self.learner == "network" and self.start.mode == RESUME:
            self._resume()
            return
        self._refused = bool(self.form.errors)
        if self._refused:
            raise ConfigError("; ".join(self.form.errors.values()))
        if gone := missing(self.learner):
            raise RunError(gone)
        if self.forecast and self.forecast["advice"]:
            raise ConfigError(self.forecast["advice"])
        config, arguments = self.config, self.bar.arguments
        self.bar.button.disabled = True
        self.say("Starting …", "info")

        def start() -> Run | Exception:
            try:
                return self.ws.train(config, **arguments)
            except Exception as error:
                return error

        self.in_thread(start, self._started)

    def _resume(self) -> None:
        """Let the run chosen go on where it stopped; no new run."""
        run = self.start.run
        if run is None:
            raise RunError("there is no run to resume; choose another way to begin")
        self.bar.button.disabled = True

        def resume() -> Run | Exception:
            try:
                return run.resume()
            except Exception as error:
                return error

        self.in_thread(resume, self._started)

    def _started(self, run: Run | Exception) -> None:
        self._enable()
        if isinstance(run, Exception):
            self.show_error(run)
            return
        self.bar.clear()
        self.start.mode_list.value = FRESH if self.start.mode == RESUME else self.start.mode
        self.say(f"{run.name} has started. It goes on when this page, or the notebook, is closed.", "good")
        self.runs.watch(run)
        self.ahead.fold_away()
        self.refresh()

    @on_ui
    def open_run(self, name: str) -> None:
        """Show the monitor of a run; the curves drawn over each other stay where its own are among them."""
        self.runs.open(name)

    def _opened_run(self, run: Run) -> None:
        for listener in self._run_listeners:
            listener(run)

    # ------------------------------------------------------------------------------------------------------ refresh

    @on_ui
    def refresh(self) -> None:
        """Look anew at labels and runs; where there is memory to spare, also at what is ahead."""
        self._stale = True
        self._opened = machine().memory_gb >= NEEDED_GB
        self._tick()

    def _tick(self) -> None:
        if self._looking:
            return
        self._looking = True
        level, stale, self._stale = self._level.value, self._stale, False
        drawn = self.runs.colors
        self.in_thread(lambda: self._look(level, stale, drawn), self._show_look, self._look_failed)

    def _look(
        self, level: str | None, stale: bool, drawn: dict[str, str]
    ) -> tuple[list[ClassFacts] | None, list[Row], list[str]]:
        """Off the UI thread: facts on the labels (None: as they were), rows of runs, names of models."""
        stale = stale or self.ws.read_only
        facts = self._labels.look(level) if stale and level is not None else None
        runs = [run for run in reversed(list(self.ws.runs.values())) if run.kind == "train"]
        models = [run.name for run in runs if (run.path / "model").is_dir()]
        self.post(self.start.offer, runs)
        self._busy = any(run.state in ("running", "stopping") for run in runs)
        return facts, self.runs.rows(runs, drawn), models

    def _edited(self, _: Any) -> None:
        self._stale = True

    def _look_failed(self, error: BaseException) -> None:
        """A run deleted while it is looked at is no news; the next look shows it. The rest is said."""
        self._looking, self._stale = False, True
        if not isinstance(error, OSError | RunError):
            self.show_error(error)

    def _show_look(self, found: tuple[list[ClassFacts] | None, list[Row], list[str]]) -> None:
        self._looking = False
        facts, rows, models = found
        if self._refused and not self.form.errors:  # what was said about the settings no longer holds
            self._refused = False
            self.say("", "quiet")
        if facts is not None:
            self._facts = facts
            self._show_facts()
        self.runs.show(rows)
        self._offer_sets()
        self.bar.offer(self.ws.images.names)
        if models != self._models:
            self._models = models
            for form in self._forms.values():
                form.set_choices("start_from", models)
        self._look_ahead()
        self._warm()

    def _warm(self) -> None:
        """Have a process ready that has imported the network's learner, once somebody means to train one."""
        if self.learner == "network" and self._touched and not self._busy and not self.bar.button.disabled:
            self.in_thread(lambda: self.ws.runs.warm(_NETWORK), lambda _: None)

    def _offer_sets(self) -> None:
        """The names of training sets, and the classes that a training can be confined to, as choices of the forms."""
        ws, level = self.ws, self._level.value
        if ws.read_only:
            ws.store.refresh()
        classes = [
            f"{name}/{known.name}" for name in ws.levels.names if name != level for known in ws.levels[name].classes
        ]
        inside = [*(["parent"] if level and ws.levels[level].parent else []), *classes]
        offered = (ws.sets.names, inside)
        if offered != self._offered:
            self._offered = offered
            self.sets.refresh()
            for form in self._forms.values():
                self._offer_to(form)

    def _offer_to(self, form: Form[Any]) -> None:
        names, inside = self._offered
        for setting in ("training_set", "validation_set"):
            form.set_choices(setting, names)
        form.set_choices("constrain", inside)

    def _show_facts(self) -> None:
        rows = [
            (swatch(f.color) + html.escape(f.name), *(f"{n:,}" if n else "–" for n in (f.voxels, f.strokes, f.slices)))
            for f in self._facts
        ]
        self._counts.value = table(("Class", "Voxels", "Strokes", "Slices"), rows, right=(1, 2, 3)) if rows else ""
        self._enable()
        found = preflight(self._facts, deep=self.learner == "network")
        lines = [note_of(kind, words) for kind, words in found]
        self._warnings.value = "".join(lines)
        show(self._warnings, bool(lines))

    def _enable(self) -> None:
        """Train is on once the learner is installed and there is something to tell apart."""
        level = self._level.value
        enough = 1 if level and self.ws.levels[level].kind == "instances" else 2
        labelled = sum(1 for row in self._facts if row.voxels)
        named = "training_set" in type(self.form.value).model_fields and self.form.value.training_set
        resumes = self.learner == "network" and self.start.mode == RESUME
        short = labelled < enough and not named and not resumes
        nothing = resumes and self.start.run is None
        self.bar.button.disabled = missing(self.learner) is not None or short or nothing
        start = "There is no run to resume" if nothing else "Start a run"
        self.bar.button.tooltip = "Paint a few strokes of two classes first" if short else start

    # ------------------------------------------------------------------------------------------------- looking ahead

    def _question(self) -> Any:
        """What a forecast depends on; None where there is nothing to ask."""
        if self.learner != "network" or sum(1 for row in self._facts if row.voxels) < 2:
            return None
        return self.config.to_json(), [row.voxels for row in self._facts]

    def _look_ahead(self) -> None:
        """Forecast what is set, once at opening and then what is changed, unless a training needs the machine."""
        question = None if missing(self.learner) else self._question()
        self.ahead.follow(question, quiet=not (self._touched or self._opened) or self._busy)
        self._opened = self._opened and not self.ahead.asked(question)

    def _change(self, **settings: Any) -> None:
        self.form.value = self.form.value.changed(**settings)
        self._settings_changed()

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        ws = self.ws
        levels = ws.levels.names
        self._level = w.Dropdown(
            options=levels, value=levels[0] if levels else None, **labelled("Level", "Which labels are learnt")
        )
        self._level.observe(self.handler(self._level_changed), "value")
        show(self._level, len(levels) > 1)
        self._counts, self._warnings = text(), text()
        self._learner = classed(
            w.ToggleButtons(
                options=[(LABELS[name], name) for name in CONFIGS], value="shallow", tooltips=list(HELP.values())
            ),
            "vx-choice",
        )
        self._learner.observe(self.handler(self._show_learner), "value")
        self._needs = classed(text(), "vx-note", "vx-hidden")
        self.presets = PresetChooser(self, self._load_config, lambda base: self.form.compare(base))
        self._settings = w.Box(layout={"width": "100%"})
        self.start = StartChooser(self, ws, lambda **s: self._change(**s), self._load_config, lambda: self._begins())
        self.ahead = Outlook(
            self, ws, lambda **s: self._change(**s), lambda: self.config.to_json(), lambda: self._level.value
        )
        self.encoders = EncoderNames(self.ahead.ask, lambda names: self._forms["network"].set_choices("encoder", names))
        self.sets = SetEditor(
            self,
            ws,
            lambda name: self._change(training_set=name),
            lambda name: self._change(validation_set=name),
            self._offer_sets,
        )
        self.bar = StartBar(self, self.train, lambda: self._show_code())
        self.runs = RunStage(self, ws, self._opened_run, self.refresh)
        left = column(
            column(
                row(heading("Labels"), spacer(), self._level),
                self._counts,
                self._warnings,
                self.ahead.notes,
                self.sets.widget,
                classes=["vx-section"],
            ),
            column(
                heading("Learner"),
                self._learner,
                self._needs,
                self.presets.widget,
                self.start.widget,
                classes=["vx-section"],
            ),
            column(self._settings, classes=["vx-section"]),
            classes=["vx-train-setup"],
        )
        start = column(self.ahead.words, self.bar.widget, self.message.widget, classes=["vx-train-start"])
        right = column(self.ahead.widget, self.runs.widget, classes=["vx-train-runs"])
        whole = classed(w.HBox([column(left, start, classes=["vx-train-left"]), right]), "vx-train")
        self.body(whole, message=False)

    def _learner_so_far(self) -> Learner:
        """The learner of the newest run, else the one that answers first."""
        for run in reversed(list(self.ws.runs.values())):
            if run.kind == "train":
                return "network" if run.learner == "deep" else "shallow"
        return "shallow"

    def _show_learner(self) -> None:
        learner = self.learner
        if learner not in self._forms:
            single = len(self.ws.images.names) <= 1
            hidden = {"level", "images"} if single else {"level"}
            if len(self.ws.levels.names) < 2:
                hidden.add("constrain")
            self._forms[learner] = Form(
                CONFIGS[learner],
                suggestions={"start_from": self._models, "encoder": ENCODERS},
                only=lambda s: s.name not in hidden,
                on_change=lambda _: self._settings_changed(),
                on_open=self._group_opened,
                embedded=True,
            )
            self._offer_to(self._forms[learner])
            if learner == "network":
                self._forms[learner].value = presets["auto"]
        self._settings.children = (self._forms[learner].widget,)
        gone = missing(learner)
        self._needs.value = html.escape(gone or "")
        show(self._needs, gone is not None)
        self._enable()
        self.presets.offer(CONFIGS[learner])
        show(self.ahead.widget, learner == "network")
        show(self.start.widget, learner == "network")
        self._touched = True
        self._show_facts()
        self.ahead.show(self.forecast)
        self._look_ahead()
        self._show_code()

    def _group_opened(self, group: str) -> None:
        if self.learner == "network" and "network" in self._forms and not missing("network"):
            self.encoders.opened(group, self.form.value.architecture)

    def _load_config(self, config: Config) -> None:
        self.form.value = config
        self._settings_changed()

    def _begins(self) -> None:
        """Another way to begin was chosen."""
        resumes = self.learner == "network" and self.start.mode == RESUME
        self.bar.resumes(resumes)
        show(self._settings, not resumes)
        self._enable()
        self._show_code()

    def _settings_changed(self) -> None:
        self._touched = True
        if self.learner == "network":
            self.start.follow(self.form.value)
            self.encoders.follow(self.form.value.architecture)
        self._show_code()

    def _level_changed(self) -> None:
        self.refresh()
        self._show_code()

    def _show_code(self) -> None:
        self.presets.follow(self.form.value)
        self.bar.copy_code.code, self.bar.copy_command.code = self.code, self.command

    def _close_children(self) -> None:
        self.runs.close()
        self.ahead.close()
        for form in self._forms.values():
            form.close()
