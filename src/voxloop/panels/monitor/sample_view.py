"""Sample predictions of a run, one picture at a time, with a slider over epochs. Reads PNG files; knows no learner."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import classed, column, heading, row, show, text
from voxloop.runs.events import Event

Background = Callable[[Callable[[], Any], Callable[[Any], object]], object]


class SampleView:
    """Pictures that the run wrote on its way. The newest is shown until the slider is moved back.

    ``words`` say what is to be seen in each.
    """

    def __init__(self, in_thread: Background, words: str = "") -> None:
        self._in_thread = in_thread
        self._folder = Path()
        self._all: tuple[Event, ...] = ()
        self._shown: tuple[Path, str] | None = None
        self._follow = True
        self._setting = False
        self.window = w.Dropdown(options=[], layout={"width": "auto"})
        self.slider = w.IntSlider(min=0, max=0, readout=False, layout={"width": "240px"})
        self.caption = text("", "vx-dim", "vx-number")
        self.image = classed(w.Image(format="png", value=b""), "vx-sample")
        self.window.observe(self._on_window, "value")
        self.slider.observe(self._on_slider, "value")
        self._controls = row(self.slider, self.caption, self.window)
        below = text(words, "vx-dim", "vx-small")
        self.widget = classed(column(heading("Sample predictions"), self._controls, self.image, below), "vx-section")
        show(self.widget, False)

    def show(self, folder: Path, samples: tuple[Event, ...]) -> None:
        """Offer these samples; nothing is sent where they are the ones shown."""
        if folder == self._folder and samples == self._all:
            return
        if folder != self._folder:
            self._follow = True
        self._folder, self._all = folder, samples
        names = list(dict.fromkeys(_name(event) for event in samples))
        self._setting = True
        if list(self.window.options) != names:
            self.window.options = names
            self.window.value = names[0] if names else None
        self._setting = False
        show(self.window, len(names) > 1)
        show(self.widget, bool(samples))
        self._offer()

    @property
    def chosen(self) -> list[Event]:
        """The samples of the chosen window, oldest first."""
        return [event for event in self._all if _name(event) == self.window.value]

    def _offer(self) -> None:
        last = max(0, len(self.chosen) - 1)
        self._setting = True
        # two messages, not one: a slider in the page that gets both at once clips the value to its old end
        self.slider.max = last
        self.slider.value = last if self._follow else min(self.slider.value, last)
        self._setting = False
        show(self.slider, last > 0)
        self._load()

    def _on_window(self, _: object) -> None:
        if not self._setting:
            self._offer()

    def _on_slider(self, change: Any) -> None:
        if not self._setting:
            self._follow = change["new"] == self.slider.max
            self._load()

    def _load(self) -> None:
        if not self.chosen:
            return
        event = self.chosen[self.slider.value]
        words = f"epoch {event['epoch']}" if "epoch" in event else f"step {event.get('iteration', '?')}"
        wanted = (self._folder / str(event.get("path", "")), words)
        if wanted == self._shown:
            return
        self._shown = wanted
        self._in_thread(lambda: _read(wanted[0], self._folder), lambda data: self._picture(wanted, data))

    def _picture(self, wanted: tuple[Path, str], data: bytes | None) -> None:
        if wanted != self._shown:
            return  # the slider has moved on
        self.caption.value = html.escape(wanted[1] if data else f"{wanted[1]}: {wanted[0].name} cannot be read")
        if data:
            self.image.value = data


def _name(event: Event) -> str:
    """Which of the windows a sample shows: its name, or its number from 0."""
    return str(event.get("name") or f"window {int(event.get('window') or 0) + 1}")


def _read(path: Path, folder: Path) -> bytes | None:
    """The picture; None where it is gone, or lies outside of the run's folder (the log may come from anyone)."""
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
        return path.read_bytes() if inside else None
    except OSError:
        return None
