"""A range of intensities that becomes labels: of any channel, of a slice, a region or the volume; shown as it moves."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w
import numpy as np

from voxloop.panels.base.panel import button, classed, labelled, row, text
from voxloop.panels.base.work import Latest
from voxloop.panels.label.tool_box import number_typed
from voxloop.panels.label.tools import Call, ToolState

if TYPE_CHECKING:
    from voxloop.panels.label.preview import MaskPreview
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace

#: voxels that are looked at for a preview
_MOST = 4 * 2**20
_STEPS = 400


class RangeOwner(Protocol):
    """The panel whose labels are changed."""

    ws: Workspace
    labels: Labels
    view: PlaneView
    state: ToolState
    preview: MaskPreview

    @property
    def color(self) -> str: ...
    def edit(self, call: Call) -> None: ...


class RangeBox:
    """Channel, limits, where; what is in the range and not labelled yet is shown on the plane until it is labelled."""

    def __init__(self, owner: Any) -> None:
        self._owner: RangeOwner = owner
        handler = owner.handler
        self._latest: Latest[Any] = Latest(owner, self._show)
        self._setting = self._on_show = False
        self._ends = 0.0, 0.0  # the intensities seen so far
        self._channel = w.Dropdown(options=[("image", 0)], **labelled("Intensity", "Of the image, or of a channel"))
        # of the steps between the smallest and the largest intensity: a page in which these change moves the ends along
        self._slider = w.IntRangeSlider(
            value=(0, _STEPS), min=0, max=_STEPS, readout=False, **labelled("Range", "Shown as it moves")
        )
        self._low = _field("From", "The smallest intensity that is labelled")
        self._high = _field("To", "The largest one")
        self._where = classed(
            w.Dropdown(options=["this slice", "volume"], **labelled("Where", "This slice, all of it, or a region")),
            "vx-grow",
        )
        fill = button("Label", handler(self.label), tooltip="Label what is in the range and has no label yet")
        self._words = text("", "vx-dim", "vx-small")
        self._slider.observe(handler(self._slid), "value")
        for field in (self._low, self._high):
            field.observe(handler(self.look), "value")
        self._channel.observe(handler(self._channel_chosen), "value")
        owner.view.on("plane", self._turned)
        self.widgets: list[w.Widget] = [
            text("Label a range of intensities", "vx-dim", "vx-small"),
            self._channel,
            self._slider,
            self._low,
            self._high,
            row(self._where, fill),
            self._words,
        ]

    def offer(self, regions: list[str]) -> None:
        """Channels and regions as there are now; the channel that is on show is the one to go by."""
        owner = self._owner
        own = owner.ws.images.open(owner.labels.image).attrs.get("channel_names") or ["image"]
        options: list[tuple[str, int | str]] = [(str(name or number), number) for number, name in enumerate(own)]
        options += [(name, name) for name in owner.ws.channels.names]
        chosen = owner.state.channel
        self._setting = True
        before = self._channel.value
        self._channel.options = options
        self._channel.value = chosen if chosen in [value for _, value in options] else 0
        where = self._where.value
        self._where.options = ["this slice", "volume", *regions]
        self._where.value = where if where in self._where.options else "this slice"
        self._setting = False
        if self._channel.value != before:
            self._ends = 0.0, 0.0
        self._ask(self._limits() if self._on_show else {})  # how far the slider goes

    def label(self) -> None:
        """Label what lies in the range and has no label yet."""
        owner = self._owner
        arguments: dict[str, Any] = {**self._limits(), "value": owner.state.value}
        if self._channel.value not in (0, None):
            arguments["channel"] = self._channel.value
        if self._where.value == "this slice":
            at = {"zyx".index(owner.view.axis): slice(owner.view.index, owner.view.index + 1)}
            arguments["region"] = tuple(at.get(axis, slice(None)) for axis in range(3))
        elif self._where.value != "volume":
            arguments["region"] = self._where.value
        owner.edit(Call("threshold", arguments))
        self.close()

    def _channel_chosen(self) -> None:
        if not self._setting:
            self._ends = 0.0, 0.0
            self._ask(self._limits())

    def look(self) -> None:
        """Show what of the plane is in the range."""
        if self._setting:
            return
        limits = self._limits()
        if limits:
            self._ask(limits)
        else:
            self.close()

    def close(self) -> None:
        """Show nothing more."""
        self._latest.forget()
        if self._on_show:
            self._on_show = False
            self._owner.preview.clear()
        self._words.value = ""

    def _limits(self) -> dict[str, float]:
        typed = {"low": number_typed("From", self._low.value), "high": number_typed("To", self._high.value)}
        return {name: value for name, value in typed.items() if value is not None}

    def _slid(self) -> None:
        """Write the slider's ends into the fields; an end of the slider is no limit."""
        if self._setting:
            return
        first, last = self._slider.value
        low, high = (self._ends[0] + at / _STEPS * (self._ends[1] - self._ends[0]) for at in (first, last))
        self._setting = True
        self._low.value = "" if first == 0 else f"{low:.4g}"
        self._high.value = "" if last == _STEPS else f"{high:.4g}"
        self._setting = False
        self.look()

    def _turned(self) -> None:
        if self._on_show:
            self._ask(self._limits())

    def _ask(self, limits: dict[str, float]) -> None:
        owner, channel = self._owner, self._channel.value
        labels, box, axis, index = owner.labels, owner.view.visible_box(), owner.view.axis, owner.view.index
        if box.size > _MOST:
            self._words.value = "Zoom in to see what is in the range."
            return
        self._latest.ask(lambda: (limits, axis, index, box, labels.in_range(box=box, channel=channel, **limits)))

    def _show(self, answer: Any) -> None:
        limits, axis, index, box, (mask, (low, high)) = answer
        if np.isfinite([low, high]).all():
            self._ends = (
                (low, high) if self._ends == (0.0, 0.0) else (min(low, self._ends[0]), max(high, self._ends[1]))
            )
        if not limits:
            return
        across = "zyx".index(axis)
        top, left = (start for at, start in enumerate(box.start) if at != across)
        self._owner.preview.show(axis, [(index, (top, left), mask.squeeze(across))], self._owner.color)
        self._on_show = True
        share = float(np.mean(mask))
        self._words.value = html.escape(f"{share:.1%} of what is in sight would be labelled here.")


def _field(name: str, words: str) -> w.Text:
    return classed(w.Text("", **labelled(name, words)), "vx-grow")
