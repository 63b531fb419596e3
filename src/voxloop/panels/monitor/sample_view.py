"""Sample predictions of a run, one picture at a time, with a slider over epochs. Reads PNG files; knows no learner."""

from __future__ import annotations

import html
from functools import partial
from pathlib import Path

import ipywidgets as w

from voxloop.panels.base.panel import Panel, classed, column, heading, row, show, text
from voxloop.panels.base.work import Latest
from voxloop.runs.events import Event


class SampleView:
    """Pictures that the run wrote on its way. The newest is shown until the slider is moved back.

    ``words`` say what is to be seen in each.
    """

    def __init__(self, panel: Panel, words: str = "") -> None:
        self._pictures: Latest[bytes | None] = Latest(panel, self._show_picture)
        self._folder = Path()
        self._samples: tuple[Event, ...] = ()
        self._shown: tuple[Path, str] | None = None
        self._follows = True
        self._offering = False
        self.window = w.Dropdown(options=[], layout={"width": "auto"})
        self.slider = w.IntSlider(min=0, max=0, readout=False, layout={"width": "240px"})
        self.caption = text("", "vx-dim", "vx-number")
        self.image = classed(w.Image(format="png", value=b""), "vx-sample")
        self.window.observe(panel.handler(self._window_chosen), "value")
        self.slider.observe(panel.handler(self._slider_moved), "value")
        controls = row(self.slider, self.caption, self.window)
        below = text(words, "vx-dim", "vx-small")
        self.widget = classed(column(heading("Sample predictions"), controls, self.image, below), "vx-section")
        show(self.widget, False)

    def show(self, folder: Path, samples: tuple[Event, ...]) -> None:
        """Offer these samples; nothing is sent where they are the ones shown."""
        if folder == self._folder and samples == self._samples:
            return
        if folder != self._folder:
            self._follows = True
        self._folder, self._samples = folder, samples
        names = list(dict.fromkeys(_name(event) for event in samples))
        self._offering = True
        if list(self.window.options) != names:
            self.window.options = names
            self.window.value = names[0] if names else None
        self._offering = False
        show(self.window, len(names) > 1)
        show(self.widget, bool(samples))
        self._offer_epochs()

    @property
    def chosen(self) -> list[Event]:
        """The samples of the chosen window, oldest first."""
        return [event for event in self._samples if _name(event) == self.window.value]

    def _offer_epochs(self) -> None:
        last = max(0, len(self.chosen) - 1)
        self._offering = True
        # two messages, not one: a slider in the page that gets both at once clips the value to its old end
        self.slider.max = last
        self.slider.value = last if self._follows else min(self.slider.value, last)
        self._offering = False
        show(self.slider, last > 0)
        self._load()

    def _window_chosen(self) -> None:
        if not self._offering:
            self._offer_epochs()

    def _slider_moved(self) -> None:
        if not self._offering:
            self._follows = self.slider.value == self.slider.max
            self._load()

    def _load(self) -> None:
        if not self.chosen:
            return
        event = self.chosen[self.slider.value]
        words = f"epoch {event['epoch']}" if "epoch" in event else f"step {event.get('iteration', '?')}"
        picture = (self._folder / str(event.get("path", "")), words)
        if picture != self._shown:
            self._shown = picture
            self._pictures.ask(partial(_read, picture[0], self._folder))

    def _show_picture(self, png: bytes | None) -> None:
        assert self._shown is not None
        path, words = self._shown
        if png is None:
            self.caption.value = html.escape(f"{words}: {path.name} cannot be read")
            return
        self.caption.value = html.escape(words)
        self.image.value = png


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
