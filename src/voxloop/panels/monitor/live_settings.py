"""Settings that can change while a network learns, in a fold; a change is an order to the run. Writes no file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import DeepConfig
from voxloop.config.base import settings_of
from voxloop.errors import ConfigError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, show, text
from voxloop.panels.form.form import Form
from voxloop.panels.monitor.snapshot import Snapshot

if TYPE_CHECKING:
    from voxloop.runs import History, Run

#: names of the settings that a run takes on the way
NAMES = tuple(setting.name for setting in settings_of(DeepConfig) if setting.live)


class LiveSettings:
    """Learning rate, epochs and patience of a training that is queued or running; ``widget`` is hidden for others.

    ``order(verb)`` gives the run on show an order, a function of it.
    """

    def __init__(self, panel: Panel, order: Callable[[Callable[[Any], object]], object]) -> None:
        self._order = order
        self._config = DeepConfig()
        self._form: Form[DeepConfig] | None = None
        self.fold = Fold("Change while it runs", self._build, lambda _: None)
        self.widget = self.fold.widget
        show(self.widget, False)
        panel.on_close(self._close)

    def show(self, run: Run, snapshot: Snapshot) -> None:
        """Offer the settings of this run as they are now."""
        alive = run.learner == "deep" and snapshot.state in ("queued", "running")
        show(self.widget, alive)
        if not alive:
            return
        config = _current(run, snapshot.history)
        if config != self._config:
            self._config = config
            if self._form is not None:
                self._form.value = config

    def _build(self) -> list[w.Widget]:
        self._form = Form(
            DeepConfig,
            self._config,
            only=lambda setting: setting.name in NAMES,
            on_change=self._changed,
            embedded=True,
        )
        words = text("What is entered here is taken at the next step; the log says so.", "vx-small", "vx-dim")
        return [words, self._form.widget]

    def _changed(self, config: DeepConfig) -> None:
        changes = {
            name: getattr(config, name) for name in NAMES if getattr(config, name) != getattr(self._config, name)
        }
        if changes:
            self._order(lambda run: run.update(**changes))

    def _close(self) -> None:
        if self._form is not None:
            self._form.close()


def _current(run: Run, history: History) -> DeepConfig:
    """The settings a run began with, changed by what it took since."""
    try:
        config = DeepConfig.from_json(run.config.get("settings") or {})
    except ConfigError:  # of another version
        config = DeepConfig()
    return config.changed(**{str(event["what"]): event["new"] for event in history.updates if event["what"] in NAMES})
