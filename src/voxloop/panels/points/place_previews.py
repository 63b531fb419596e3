"""Folds that show a training of points or boxes before it begins: windows with what is taught, and how far it looks.

They ask the helper process, which holds the networks; nothing is computed here.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as w

from voxloop.panels.base.panel import button, classed, row, spacer, text
from voxloop.panels.monitor.previews import LIMIT, SEEN, WINDOW, FieldPreview, Preview, field_shapes, square

#: what a group of maps is on the page
HEADS = {"maps": "confidence maps", "fields": "fields along edges", "extents": "sizes of boxes"}
STAGES = {"nodes": "Nodes", "animals": "Animals", "things": "Things to find"}


class PlaceInputsPreview(Preview):
    """Windows after cropping, scaling and variation; over them below the maps that are taught."""

    title = "Training inputs"
    kind = "place_inputs"

    def build(self) -> list[w.Widget]:
        self.batch = 0
        self._sheets = w.VBox()
        back = button("", lambda _: self.turn(-1), icon="chevron-left", tooltip="The batch before")
        on = button("Next batch", lambda _: self.turn(1), icon="chevron-right")
        return [self._sheets, row(back, on, spacer()), self.words]

    def turn(self, by: int) -> None:
        """Show another batch."""
        self.batch = max(0, self.batch + by)
        self._follow()

    def fields(self) -> dict[str, Any]:
        return {"batch": getattr(self, "batch", 0), "learner": self._labels[0]}  # type: ignore[index]

    def show(self, answer: dict[str, Any]) -> None:
        before = self._sheets.children
        sheets: list[w.Widget] = []
        for stage in answer["stages"]:
            heads = ", ".join(
                f"{HEADS[head]} of {step} pixels a cell"
                for head, step in zip(stage["heads"], stage["strides"], strict=True)
            )
            size = " × ".join(map(str, stage["size"]))
            words = f"{STAGES[stage['name']]}: {size} pixels at {stage['scale']:.3g} of their size; {heads}"
            picture = w.Image(value=base64.b64decode(stage["png"]), format="png")
            picture.layout.max_width = "100%"
            sheets += [classed(text(html.escape(words)), "vx-small"), picture]
        self._sheets.children = sheets
        for one in before:
            one.close()
        turned = answer.get("turned")
        self.words.value = f"Batch {answer['batch'] + 1}, of {answer['windows']} windows; the same in the training." + (
            html.escape(f" {turned[:1].upper()}{turned[1:]}.") if turned else ""
        )


class PlaceFieldPreview(FieldPreview):
    """The receptive field of each group of maps over a real frame: a click or a drag moves the boxes."""

    title = "What the network sees"
    kind = "place_field"

    def build(self) -> list[w.Widget]:
        self._head = classed(w.ToggleButtons(options=[""], tooltip="Which maps"), "vx-choice")
        self._head.observe(lambda _: self._draw(self.answer or {}), "value")
        return [self._head, *super().build()]

    def fields(self) -> dict[str, Any]:
        return {"learner": self._labels[0]}  # type: ignore[index]

    def go_to(self, index: int) -> None:
        """Show a frame, once it is open."""
        if self.view is not None:
            self.view.go_to_plane(index)

    def show(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        options = [(f"{STAGES[one['stage']]}: {HEADS[one['head']]}", n) for n, one in enumerate(answer["heads"])]
        if list(self._head.options) != options:
            self._head.options = options
        self._draw(answer)

    def _draw(self, answer: dict[str, Any]) -> None:
        if self.view is None or not answer or not isinstance(self._head.value, int):
            return
        one = answer["heads"][self._head.value]
        _, y, x = self.at or [size // 2 for size in self.view.planes.shape]
        self.view.set_shapes(field_shapes(one, y, x))
        self.words.value = _field_words(one)


def _field_words(one: Mapping[str, Any]) -> str:
    """How far one group of maps looks."""

    def across(size: Sequence[int]) -> str:
        return f"{size[0]} × {size[1]} pixels"

    limit = across(one["theoretical"]) if one["theoretical"] else "everything"
    return (
        f"before it has learned, 90 % of what decides lies within {square(SEEN)} {across(one['effective'])} · it can "
        f"see {square(LIMIT)} {limit} · {square(WINDOW)} is learned from at once: {across(one['window'])} · click to "
        "look elsewhere"
    )
