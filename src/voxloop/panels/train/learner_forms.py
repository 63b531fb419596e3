"""Which learner, and its settings as a form. Knows no labels and no runs."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import presets
from voxloop.config.network import ENCODERS
from voxloop.panels.base.panel import Panel, classed, show, text
from voxloop.panels.form.form import Form
from voxloop.panels.train.learners import CONFIGS, HELP, LABELS, LearnerName, missing

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


#: what users of other programs look for first, in the order in which they come upon it there, by the names it has there
MAIN_SETTINGS: dict[LearnerName, dict[str, str]] = {
    "shallow": {
        "channels": "channels",
        "dimensions": "features in",
        "scales": "scales (sigmas)",
        "sigmas_um": "sigmas",
        "classifier": "classifier",
        "trees": "trees",
        "smoothing": "smoothing",
        "validation": "validation share",
    },
    "deep": {
        "architecture": "architecture",
        "encoder": "encoder (backbone)",
        "window": "window (patch size)",
        "batch_size": "batch size",
        "epochs": "epochs",
        "max_minutes": "at most",
        "learning_rate": "learning rate",
        "validation_share": "validation share",
    },
}


class LearnerForms:
    """A choice of learners, ``choice``, and the form of the one chosen, ``widget``, made when it is first chosen.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose levels, training sets and models can be chosen.
    chosen
        Called when a learner was chosen.
    changed
        Called when a setting was changed by hand.
    opened
        Called with the name of a group of settings that is opened.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        chosen: Callable[[], object],
        changed: Callable[[], object],
        opened: Callable[[str], object],
    ) -> None:
        self._ws, self._chosen, self._changed, self._opened = ws, chosen, changed, opened
        self._forms: dict[LearnerName, Form[Any]] = {}
        self._models: dict[LearnerName, list[str]] = {"shallow": [], "deep": []}
        self._sets: tuple[list[str], list[str]] = ([], [])
        self._channels = ws.channels.names
        options = [(LABELS[name], name) for name in CONFIGS]
        self.choice = classed(
            w.ToggleButtons(options=options, value="shallow", tooltips=list(HELP.values()), tooltip="Learner"),
            "vx-choice",
        )
        self.choice.observe(panel.handler(self._show), "value")
        self.needs = classed(text(), "vx-note", "vx-hidden")
        self.widget = w.Box(layout={"width": "100%"})

    @property
    def learner(self) -> LearnerName:
        """The one chosen."""
        return "deep" if self.choice.value == "deep" else "shallow"

    def __getitem__(self, learner: LearnerName) -> Form[Any]:
        return self._forms[learner]

    def __contains__(self, learner: LearnerName) -> bool:
        return learner in self._forms

    def choose(self, learner: LearnerName) -> None:
        """Take a learner, and show its form."""
        if self.choice.value == learner:
            self._show()
        else:
            self.choice.value = learner

    def _show(self) -> None:
        learner = self.learner
        if learner not in self._forms:
            self._forms[learner] = self._make(learner)
        self.widget.children = (self._forms[learner].widget,)
        reason = missing(learner)
        self.needs.value = html.escape(reason or "")
        show(self.needs, reason is not None)
        self._chosen()

    def offer_models(self, names: Mapping[LearnerName, list[str]]) -> None:
        """Runs and folders that a training of each learner can start from."""
        for learner, form in self._forms.items():
            if names[learner] != self._models[learner]:
                form.set_choices("start_from", names[learner])
        self._models = dict(names)

    def offer_sets(self, level: str | None) -> bool:
        """Offer training sets, and classes that a training of ``level`` can be confined to; whether these are others.

        Of a workspace that another process writes, what it wrote meanwhile is read first.
        """
        ws = self._ws
        if ws.read_only:
            ws.store.refresh()
        if ws.channels.names != self._channels:
            self._channels = ws.channels.names
            for form in self._forms.values():
                form.set_choices("channels", self._channels)
        inside = [
            f"{name}/{one.name}" for name in ws.levels.painted if name != level for one in ws.levels[name].classes
        ]
        if level and ws.levels[level].parent:
            inside.insert(0, "parent")
        sets = (ws.sets.names, inside)
        if sets == self._sets:
            return False
        self._sets = sets
        for form in self._forms.values():
            self._offer_sets_to(form)
        return True

    def close(self) -> None:
        for form in self._forms.values():
            form.close()

    def _make(self, learner: LearnerName) -> Form[Any]:
        hidden = {"level"}
        if len(self._ws.images.names) <= 1:
            hidden.add("images")
        if len(self._ws.levels.painted) < 2:
            hidden.add("constrain")
        main = {name: label for name, label in MAIN_SETTINGS[learner].items() if name != "channels" or self._channels}
        form: Form[Any] = Form(
            CONFIGS[learner],
            presets["auto"] if learner == "deep" else None,
            choices={"channels": self._channels},
            suggestions={"start_from": self._models[learner], "encoder": ENCODERS},
            only=lambda setting: setting.name not in hidden,
            main=main,
            on_change=lambda _: self._changed(),
            on_put=lambda _: self._changed(),
            on_open=self._opened,
            embedded=True,
        )
        self._offer_sets_to(form)
        return form

    def _offer_sets_to(self, form: Form[Any]) -> None:
        names, inside = self._sets
        form.set_choices("training_set", names)
        form.set_choices("validation_set", names)
        form.set_choices("constrain", inside)
