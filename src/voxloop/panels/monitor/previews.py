"""Folds that show a training before it begins: its inputs, how far the network looks, a learning rate.

They ask the helper process through ``ask(kind, done, failed, **fields)`` and draw what it answers.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w
import numpy as np

from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import button, classed, close_tree, column, row, spacer, text
from voxloop.panels.view.shapes import VectorShape

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.panels.view.plane_view import PlaneView

#: what the network may see, what decides, the training window: told apart by hue, by dashes and by words
LIMIT, SEEN, WINDOW = "#56B4E9", "#F0E442", "#CC79A7"
Done = Callable[[dict[str, Any]], object]
Failed = Callable[[BaseException], object]


def field_shapes(field: Mapping[str, Any], y: float, x: float) -> list[VectorShape]:
    """How far a network looks around a place, as a window, a limit where it has one, and what decides, (y, x) each."""
    boxes: list[tuple[Sequence[float], str, str, bool]] = [(field["window"], WINDOW, "window", True)]
    if field["theoretical"]:
        boxes.append((field["theoretical"], LIMIT, "can see", True))
    boxes.append((field["effective"], SEEN, "sees", False))
    shapes = [
        VectorShape(
            "box",
            [(y - size[0] / 2, x - size[1] / 2), (y + size[0] / 2, x + size[1] / 2)],
            color=color,
            words=words,
            dashed=dashed,
        )
        for size, color, words, dashed in boxes
    ]
    middle = VectorShape("points", [(y, x)], color=SEEN, radius=3.0)  # the boxes may reach beyond the picture
    return [middle, *shapes]


class Ask(Protocol):
    """Puts a question to the helper; ``done`` or ``failed`` is called on the UI thread, neither if a newer one came."""

    def __call__(self, kind: str, done: Done, failed: Failed, **fields: Any) -> None: ...


class Preview:
    """What the three folds share: closed they ask nothing, open they follow the settings."""

    title = ""
    kind = ""

    def __init__(self, ask: Ask) -> None:
        self._ask_helper = ask
        self._config: dict[str, Any] = {}
        self._labels: object = None
        self._asked: Any = None
        self._answered = False
        self.words = classed(text(), "vx-small", "vx-dim")
        self.fold = Fold(self.title, self.build, lambda _: self._follow())

    def build(self) -> list[w.Widget]:
        raise NotImplementedError

    def fields(self) -> dict[str, Any]:
        """What goes into the question beside the config."""
        return {}

    def show(self, answer: dict[str, Any]) -> None:
        raise NotImplementedError

    def update(self, config: Mapping[str, Any], labels: object = None) -> None:
        """Settings as they are now, and anything that changes when labels do."""
        self._config, self._labels = dict(config), labels
        self._follow()

    def _follow(self) -> None:
        question = (self._config, self._labels, self.fields())
        if self.fold.is_open and self._config and question != self._asked:
            self._asked = question
            self.ask()

    def ask(self) -> None:
        """Ask now."""
        # the first answer of all waits for the helper process, and for the pictures to be read
        self.fold.note("working…" if self._answered else "reading labels and pictures; the first time takes longest…")
        self._ask_helper(self.kind, self._done, self._failed, config=self._config, **self.fields())

    def close(self) -> None:
        """Close what no page holds: folds that were never opened."""
        close_tree(self.words)

    def _done(self, answer: dict[str, Any]) -> None:
        self.fold.note("")
        self._answered = True
        self.show(answer)

    def _failed(self, error: BaseException) -> None:
        self.fold.note("")
        self.words.value = f'<div class="vx-note vx-note-error">{html.escape(str(error))}</div>'


class InputsPreview(Preview):
    """What the network really gets: windows after sampling, scaling and augmentation, targets below."""

    title = "Training inputs"
    kind = "inputs"

    def __init__(self, ask: Ask) -> None:
        super().__init__(ask)
        self.batch = 0

    def build(self) -> list[w.Widget]:
        self.image = w.Image(format="png")
        self.image.layout.max_width = "100%"
        self._back = button("", lambda _: self.turn(-1), icon="chevron-left", tooltip="The batch before")
        self._next = button("Next batch", lambda _: self.turn(1), icon="chevron-right")
        return [self.image, row(self._back, self._next, spacer(), self.words)]

    def turn(self, by: int) -> None:
        """Show another batch."""
        self.batch = max(0, self.batch + by)
        self._follow()

    def fields(self) -> dict[str, Any]:
        return {"batch": self.batch}

    def show(self, answer: dict[str, Any]) -> None:
        self.image.value = base64.b64decode(answer["png"])
        classes = zip(answer["counts"].items(), answer["colors"], strict=True)
        counts = " · ".join(f"{square(color)} {html.escape(name)} {count:,}" for (name, count), color in classes)
        scale = "" if answer["scale"] == 1 else f" at {answer['scale']:g} of their size"
        windows = f"{answer['windows']} windows of {' × '.join(map(str, answer['size']))}{scale}"
        self.words.value = f"Batch {answer['batch'] + 1}: {windows} · labelled: {counts}"


class FieldPreview(Preview):
    """The receptive field over a real slice: drag the boxes about, zoom with ctrl-wheel."""

    title = "What the network sees"
    kind = "receptive_field"

    def __init__(self, ask: Ask, volume_of: Callable[[], tuple[str, DataArray]]) -> None:
        super().__init__(ask)
        self._volume_of = volume_of
        #: the voxel (z, y, x) that is looked from; None: where labels are
        self.at: list[int] | None = None
        #: what is drawn; None until it is known
        self.answer: dict[str, Any] | None = None
        self.view: PlaneView | None = None

    def build(self) -> list[w.Widget]:
        from voxloop.panels.view.plane_view import PlaneView

        self._image, volume = self._volume_of()
        self.view = PlaneView(volume, height=320, compact=True)
        self.view.set_tool(name="place", draws="place")
        self.view.on("click", self._placed)
        self.view.on("plane", self._turned)
        return [self.view.widget, self.words]

    def fields(self) -> dict[str, Any]:
        return {"image": getattr(self, "_image", None), "at": self.at}

    def _placed(self, message: Mapping[str, Any]) -> None:
        """The boxes were dragged: they follow at once, and what decides there is asked for where they are let go."""
        if message["axis"] == "z":
            self._move([message["index"], round(message["row"]), round(message["column"])], bool(message.get("last")))

    def _turned(self) -> None:
        """Another slice is shown: the boxes stay where they are in it."""
        if self.view is not None and self.view.axis == "z":
            _, y, x = self.at or (size // 2 for size in self.view.planes.shape)
            self._move([self.view.index, y, x], True)

    def _move(self, at: Sequence[int], asks: bool) -> None:
        assert self.view is not None
        self.at = [min(size - 1, max(0, v)) for v, size in zip(at, self.view.planes.shape, strict=True)]
        if self.answer is not None:
            self._draw(self.answer)
        if asks:
            self._follow()

    def show(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self._draw(answer)
        reach, um = answer["theoretical"], answer["theoretical_um"]
        limit = f"can see {_size(reach, um)}" if reach else "can see the whole window"
        depth = f" in {answer['slices']} slices" if answer["slices"] > 1 else ""
        seen = _size(answer["effective"], answer["effective_um"])
        height, width = answer["window"]
        self.words.value = (
            f"{square(SEEN)} 90 % of what decides lies within {seen}{depth} · {square(LIMIT)} it {limit} · "
            f"{square(WINDOW)} training windows: {height} × {width} voxels · drag the boxes to look elsewhere"
        )

    def _draw(self, answer: dict[str, Any]) -> None:
        if self.view is None:
            return
        _, y, x = self.at or answer["at"]  # they may have been moved since
        self.view.set_shapes(field_shapes(answer, y, x))

    def close(self) -> None:
        """Close the view below."""
        super().close()
        if self.view is not None:
            self.view.close()


class RatePreview(Preview):
    """A learning-rate finder: a button, a curve, a suggestion to take over."""

    title = "Learning rate"
    kind = "rate"

    def __init__(self, ask: Ask, config: Callable[[], dict[str, Any]], take: Callable[[float], object]) -> None:
        super().__init__(ask)
        self._config_now, self._take = config, take
        self.suggestion: float | None = None

    def build(self) -> list[w.Widget]:
        from voxloop.panels.monitor.rate_plot import RatePlot

        self.plot = RatePlot()
        self._find = button("Find a learning rate", lambda _: self.ask(), icon="search")
        self._use = button("Use it", lambda _: self.suggestion and self._take(self.suggestion), kind="primary")
        self._use.disabled = True
        self.words.value = "60 steps at rising rates on the labels as they are; no model is saved."
        return [row(self._find, self._use), self.words, self.plot.widget]

    def _follow(self) -> None:
        """Only the button asks: it takes as long as 60 steps."""

    def ask(self) -> None:
        """Ask for the settings as they are at the click."""
        self._config = self._config_now()
        super().ask()

    def show(self, answer: dict[str, Any]) -> None:
        self.suggestion = float(answer["suggestion"])
        self.plot.show(np.array(answer["rates"]), np.array(answer["losses"]), self.suggestion)
        self._use.disabled = False
        self.words.value = f"Suggested: <b>{self.suggestion:.2g}</b>, in the middle of the fall of the loss."


def square(color: str) -> str:
    return f'<span style="color:{html.escape(color, quote=True)}">■</span>'


def _size(voxels: Sequence[float], um: Sequence[float]) -> str:
    return f"{voxels[0]:.0f} × {voxels[1]:.0f} voxels ({um[0]:.3g} × {um[1]:.3g} µm)"


def folds(previews: Sequence[Preview]) -> w.VBox:
    """The folds below each other."""
    return column(*(preview.fold.widget for preview in previews), classes=["vx-previews"])
