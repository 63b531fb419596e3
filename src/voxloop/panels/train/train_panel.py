"""Start training and see what was trained: labels so far, learner, settings, runs. Trains nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import Config
from voxloop.config.commands import resume_command, train_command
from voxloop.errors import ConfigError, RunError
from voxloop.machine import machine
from voxloop.panels.base.panel import Panel, classed, column, heading, labelled, row, show, spacer
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Poll
from voxloop.panels.form.form import Form
from voxloop.panels.monitor.run_start import RunStart, unless_gone
from voxloop.panels.monitor.run_words import AT_WORK
from voxloop.panels.train.encoder_names import EncoderNames
from voxloop.panels.train.facts_table import FactsTable
from voxloop.panels.train.label_watch import LabelWatch
from voxloop.panels.train.learner_forms import LearnerForms
from voxloop.panels.train.learners import CONFIGS, LearnerName, find_last_used, missing
from voxloop.panels.train.overview import ClassFacts
from voxloop.panels.train.preset_chooser import PresetChooser
from voxloop.panels.train.run_stage import RunStage
from voxloop.panels.train.set_editor import SetEditor
from voxloop.panels.train.start_bar import StartBar
from voxloop.panels.train.start_chooser import FRESH, RESUME, StartChooser, code_of
from voxloop.panels.train.starts import starts
from voxloop.panels.train.train_look import TrainLook
from voxloop.panels.train.training_forecast import Question, TrainingForecast
from voxloop.runs.spare import NEEDED_GB
from voxloop.shallow.last_choice import last_choice

if TYPE_CHECKING:
    from voxloop.runs import Run
    from voxloop.workspace.workspace import Workspace

_NETWORK = "voxloop.deep.learner:train"


class TrainPanel(Panel):
    """Choose a learner, look over its settings, press Train, watch the run.

    ``panel.config``, ``panel.code`` and ``panel.train()`` are what the form, 'Copy as code' and the button stand for.

    Examples
    --------
    >>> panel = vl.TrainPanel(ws)
    >>> panel.change(trees=20)
    >>> print(panel.code)
    run = ws.train(vl.ShallowConfig(trees=20))
    """

    @on_ui
    def __init__(self, ws: Workspace, *, embedded: bool = False) -> None:
        super().__init__(embedded=embedded)
        classed(self.widget, "vx-tall")
        self.ws = ws
        self._run_listeners: list[Callable[[Run], object]] = []
        self._watch = LabelWatch(ws, self._edited, self.on_close)
        #: what is labelled of each class, as it was at the last look
        self.facts: list[ClassFacts] = []
        self._stale = True
        self._busy = False  # whether a training needs the machine
        self._refused = False  # whether settings that make no sense were complained of
        self._opened = False  # whether it was opened just now: a forecast is due that nobody asked for by a change
        self._touched = False  # whether somebody means to train
        self._poll = Poll(self, self._look, self._show_look, failed=self._look_failed)
        self._build()
        self.learner = "shallow" if machine().small or missing("deep") else find_last_used(self.ws.runs.values())
        self._touched = False  # by nobody but us
        self.refresh()
        self.every(1.0, self._look_now)
        self.on_close(self._close_children)

    # ------------------------------------------------------------------------------------------------------- state

    @property
    def learner(self) -> LearnerName:
        """``"shallow"`` (seconds) or ``"deep"`` (minutes)."""
        return self.forms.learner

    @learner.setter
    def learner(self, learner: LearnerName) -> None:
        if learner not in CONFIGS:
            raise ConfigError(f"learner {learner!r} is not known; there are 'shallow' and 'deep'")
        self.ui.call(self.forms.choose, learner)

    @property
    def form(self) -> Form[Any]:
        """The settings of the chosen learner."""
        return self.forms[self.learner]

    @property
    def level(self) -> str | None:
        """The level that is learnt; None where the workspace has none."""
        name: str | None = self._level.value
        return name

    @level.setter
    def level(self, name: str) -> None:
        if name not in self.ws.levels.painted:
            raise ConfigError(f"level {name!r} is not known; there are {', '.join(self.ws.levels.painted)}")
        self.ui.call(setattr, self._level, "value", name)

    @property
    def config(self) -> Config:
        """What the form says, for the level chosen."""
        config: Config = self.form.value
        if len(self.ws.levels.painted) > 1 and not getattr(config, "training_set", None):  # a set has its levels
            return config.changed(level=self.level)
        return config

    @config.setter
    def config(self, config: Config) -> None:
        self.ui.call(self._load_config, config)

    @on_ui
    def change(self, **settings: Any) -> None:
        """Change some settings of the form."""
        self._load_config(self.form.value.changed(**settings))

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
        run = self.start.run if self._resuming else None
        return words(run.name) if run is not None else None

    @property
    def forecast(self) -> dict[str, Any] | None:
        """Time and memory of the settings shown, as :meth:`voxloop.deep.begin.forecast.Forecast.to_json` tells them.

        None for the shallow learner, and while they are not known.
        """
        return self.ahead.answer_to(self._question())

    def on_run(self, listener: Callable[[Run], object]) -> None:
        """Call ``listener(run)`` on the UI thread when a run was started or opened here."""
        self._run_listeners.append(listener)

    # ----------------------------------------------------------------------------------------------------- actions

    @on_ui
    def train(self) -> None:
        """Start a run with the settings shown; what keeps it from starting is said in the message line."""
        if self._resuming:
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
        self._start(lambda: self.ws.train(config, **arguments))

    def _resume(self) -> None:
        """Let the run chosen go on where it stopped; no new run."""
        run = self.start.run
        if run is None:
            raise RunError("there is no run to resume; choose another way to begin")
        self._start(run.resume)

    def _started(self, run: Run) -> None:
        self.bar.clear()
        if self.start.mode == RESUME:
            self.start.mode_list.value = FRESH
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

    # ------------------------------------------------------------------------------------------------------ looking

    @on_ui
    def refresh(self) -> None:
        """Look anew at labels and runs; where there is memory to spare, also at what is ahead."""
        self._stale = True
        self._opened = machine().memory_gb >= NEEDED_GB
        self._look_now()

    def _look_now(self) -> None:
        if not self._poll.busy:
            stale, self._stale = self._stale, False
            self._poll.now(self.level, stale, self.runs.colors)

    def _look(self, level: str | None, stale: bool, colors: dict[str, str]) -> TrainLook:
        """Off the UI thread."""
        facts = self._watch.look(level) if level is not None and (stale or self.ws.read_only) else None
        runs = [run for run in reversed(list(self.ws.runs.values())) if run.kind == "train"]
        return TrainLook(
            facts=facts,
            runs=runs,
            rows=self.runs.rows(runs, colors),
            models=starts(self.ws, runs),
            choice=last_choice(self.ws.path, level) if level else None,
            busy=any(run.state in AT_WORK and run.state != "queued" for run in runs),
        )

    def _edited(self, _: Any) -> None:
        self._stale = True

    def _look_failed(self, error: BaseException) -> None:
        self._stale = True
        unless_gone(self)(error)

    def _show_look(self, look: TrainLook) -> None:
        if self._refused and not self.form.errors:  # what was said about the settings no longer holds
            self._refused = False
            self.clear_error()
        if look.facts is not None:
            self.facts = look.facts
            self._show_facts()
        self._busy = look.busy
        self.start.offer(look.runs)
        self.presets.tell(look.choice)
        self.runs.show(look.rows)
        self._offer_sets()
        self.bar.offer(self.ws.images.names)
        self.forms.offer_models(look.models)
        self._look_ahead()
        self._warm()

    def _warm(self) -> None:
        """Have a process ready that has imported the network's learner, once somebody means to train one.

        Who opens the panel where a network was trained last is likely to; it is not kept up while nobody does a thing.
        """
        meant = self.learner == "deep" and (self._touched or self._opened)
        if meant and not self._busy and not self.bar.button.disabled:
            self.in_thread(lambda: self.ws.runs.warm(_NETWORK))

    def _offer_sets(self) -> None:
        if self.forms.offer_sets(self.level):
            self.sets.refresh()

    def _show_facts(self) -> None:
        self._facts_table.show(self.facts, deep=self.learner == "deep")
        self._enable()

    @property
    def _resuming(self) -> bool:
        return self.learner == "deep" and self.start.mode == RESUME

    def _enable(self) -> None:
        """Train is on once the learner is installed and there is something to tell apart."""
        reason = missing(self.learner) or self._lacking()
        self.bar.button.disabled = reason is not None or self._start.busy
        self.bar.button.tooltip = reason or "Start a run"

    def _lacking(self) -> str | None:
        """What has to be there before a run can start, in words; None where it is."""
        if self._resuming:
            return "There is no run to resume" if self.start.run is None else None
        if getattr(self.form.value, "training_set", None):
            return None
        instances = self.level is not None and self.ws.levels[self.level].kind == "instances"
        if self._labelled >= (1 if instances else 2):
            return None
        return "Paint a few strokes of two classes first"

    @property
    def _labelled(self) -> int:
        """How many classes are labelled."""
        return sum(1 for one in self.facts if one.voxels)

    # ------------------------------------------------------------------------------------------------- looking ahead

    def _question(self) -> Question | None:
        """What a forecast depends on; None where there is nothing to ask."""
        if self.learner != "deep" or self._labelled < 2:
            return None
        return self.config.to_json(), [one.voxels for one in self.facts]

    def _look_ahead(self) -> None:
        """Forecast what is set, once at opening and then what is changed, unless a training needs the machine."""
        question = None if missing(self.learner) else self._question()
        self.ahead.follow(question, quiet=not (self._touched or self._opened) or self._busy)
        self._opened = self._opened and not self.ahead.asked(question)

    # ----------------------------------------------------------------------------------------------------- widgets

    def _build(self) -> None:
        ws, levels = self.ws, self.ws.levels.painted
        first = next(iter(levels), None)
        self._level = w.Dropdown(options=levels, value=first, **labelled("Level", "The labels to train on"))
        self._level.observe(self.handler(self._level_changed), "value")
        show(self._level, len(levels) > 1)
        self._facts_table = FactsTable(self, ws)
        self.forms = LearnerForms(self, ws, self._show_learner, self._settings_changed, self._group_opened)
        self.presets = PresetChooser(self, ws, self._load_config, lambda base: self.form.compare(base))
        self.start = StartChooser(self, ws, self.change, self._load_config, self._begins)
        self.ahead = TrainingForecast(self, ws, self.change, lambda: self.config.to_json(), lambda: self.level)
        self.encoders = EncoderNames(self.ahead.ask, lambda names: self.forms["deep"].set_choices("encoder", names))
        self.sets = SetEditor(
            self,
            ws,
            lambda name: self.change(training_set=name),
            lambda name: self.change(validation_set=name),
            self._offer_sets,
        )
        self.bar = StartBar(self, self.train, self._show_code, lambda: list(ws.runs))
        self._start = RunStart(self, self.bar.button, self._started, self._enable)
        self.runs = RunStage(self, ws, self._opened_run, self.refresh)
        labels = column(
            row(heading("Labels"), spacer(), self._level),
            self._facts_table.widget,
            self.ahead.notes,
            self.sets.widget,
            classes=["vx-section"],
        )
        learner = column(
            heading("Learner"),
            self.forms.choice,
            self.forms.needs,
            self.presets.widget,
            self.start.widget,
            classes=["vx-section"],
        )
        settings = column(self.forms.widget, classes=["vx-section"])
        setup = column(labels, learner, settings, classes=["vx-train-setup", "vx-scrolls"])
        start = column(self.ahead.words, self.bar.widget, self.message.widget, classes=["vx-train-start"])
        left = column(setup, start, classes=["vx-train-left"])
        right = column(self.ahead.widget, self.runs.widget, classes=["vx-train-runs", "vx-scrolls"])
        self.body(classed(w.HBox([left, right]), "vx-train"), message=False)

    def _show_learner(self) -> None:
        self.presets.offer(CONFIGS[self.learner], self.ws.reuse.settings)
        show(self.ahead.widget, self.learner == "deep")
        show(self.start.widget, self.learner == "deep")
        self._touched = True
        self._show_facts()
        self._look_ahead()
        self._show_code()

    def _group_opened(self, group: str) -> None:
        if self.learner == "deep" and "deep" in self.forms and not missing("deep"):
            self.encoders.open(group, self.form.value.architecture)

    def _load_config(self, config: Config) -> None:
        self.form.value = config  # of which the form tells

    def _begins(self) -> None:
        """Another way to begin was chosen."""
        self.bar.resumes(self._resuming)
        show(self.forms.widget, not self._resuming)
        self._enable()
        self._show_code()

    def _settings_changed(self) -> None:
        self._touched = True
        if self.learner == "deep":
            self.start.follow(self.form.value)
            self.encoders.follow(self.form.value.architecture)
        self._enable()
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
        self.forms.close()
