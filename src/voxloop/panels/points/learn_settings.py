"""Which settings a level of points, boxes or pictures is learned with: a preset and a form. Starts nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.config import Config, DetectConfig, PictureConfig, PoseConfig, presets
from voxloop.config.presets import nearest
from voxloop.panels.base.panel import classed, column, labelled, text
from voxloop.panels.form.form import Form

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel
    from voxloop.store.classes import Level

#: minutes that a training is given where nobody says
_MINUTES = 5.0
#: what is shown above all others, as a form calls it
_MAIN: dict[type[Config], dict[str, str]] = {
    PoseConfig: {
        "pipeline": "pipeline",
        "max_minutes": "at most",
        "input_scale": "input scaling",
        "max_stride": "max stride",
        "sigma": "sigma",
    },
    DetectConfig: {
        "max_minutes": "at most",
        "input_scale": "input scaling",
        "sigma": "sigma",
        "peak_threshold": "peak threshold",
    },
    PictureConfig: {"network": "network", "max_minutes": "at most", "size": "size", "epochs": "epochs"},
}


def kind_of(level: Level) -> type[Config]:
    """The settings that a level is learned with."""
    if level.kind == "pictures":
        return PictureConfig
    if level.kind == "boxes" or level.skeleton is None or len(level.skeleton) == 1:
        return DetectConfig
    return PoseConfig


class LearnSettings:
    """A list of presets, what the chosen one is for, and a form that begins with it."""

    def __init__(self, owner: PointsPanel, changed: Callable[[], object]) -> None:
        self._owner, self._changed = owner, changed
        self._kind: type[Config] | None = None
        self._following = False
        self.form: Form[Any] | None = None
        about = "Settings that go together; all can be changed below"
        self.preset = classed(w.Dropdown(options=["—"], **labelled("Preset", about)), "vx-grow")
        self.preset.observe(owner.handler(self._chosen), "value")
        self._about = classed(text(), "vx-small", "vx-dim")
        self._form = w.VBox()
        self.widget = column(self.preset, self._about, self._form)

    @property
    def config(self) -> Config:
        """The settings as they stand, for the level on show."""
        self.follow()
        assert self.form is not None
        config: Config = self.form.value.changed(level=self._owner.level)
        return config

    def follow(self) -> None:
        """Offer what the level on show can be learned with."""
        kind = kind_of(self._owner.marks.level)
        if kind is self._kind:
            return
        self._kind = kind
        self._put(self.preset, [name for name, preset in presets.items() if type(preset) is kind])
        old = self.form
        self.form = Form(
            kind,
            only=lambda setting: setting.name not in ("level", "start_from"),
            main=_MAIN[kind],
            on_change=lambda _: self._edited(),
            embedded=True,
        )
        self.form.value = kind(max_minutes=_MINUTES)
        self._form.children = (self.form.widget,)
        if old is not None:
            old.close()
        self._say(self.preset.options[0])

    def close(self) -> None:
        if self.form is not None:
            self.form.close()

    def _put(self, choice: w.Dropdown, names: list[str]) -> None:
        self._following = True
        try:
            choice.options = names
            choice.value = names[0]
        finally:
            self._following = False

    def _chosen(self) -> None:
        if self._following or self.form is None:
            return
        preset = presets[self.preset.value]
        ours = self.preset.value in presets.purposes
        self.form.value = preset.changed(max_minutes=_MINUTES) if ours else preset
        self._say(self.preset.value)
        self._changed()

    def _edited(self) -> None:
        assert self.form is not None
        name = nearest(self.form.value)[0]
        if name is not None and name in self.preset.options and name != self.preset.value:
            self._following = True
            self.preset.value = name
            self._following = False
        self._say(self.preset.value)
        self._changed()

    def _say(self, name: str) -> None:
        self._about.value = html.escape(presets.about(name))
