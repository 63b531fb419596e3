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
        self._channel = w.Dropdown(options=[("image", 0)], **labelled("Intensity", "Of the image, or of a channel"))
        self._slider = w.FloatRangeSlider(
            min=0.0, max=1.0, value=(0.0, 1.0), step=0.01, readout=False, **labelled("Range", "Shown as it moves")
        )
        self._low = _field("From", "The smallest intensity that is labelled")
        self._high = _field("To", "The largest one")
        self._where = w.Dropdown(
            options=["this slice", "volume"], **labelled("Where", "This slice, all of it, or a region")
        )
        fill = button("Label", handler(self.label), tooltip="Label what is in the range and has no label yet")
        self._words = text("", "vx-dim", "vx-small")
        self._slider.observe(handler(self._slid), "value")
        for field in (self._channel, self._low, self._high):
            field.observe(handler(self.look), "value")
        owner.view.on("plane", self._turned)
        self.widgets: list[w.Widget] = [
            self._channel,
            self._slider,
            row(self._low, self._high),
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
        self._channel.options = options
        self._channel.value = chosen if chosen in [value for _, value in options] else 0
        where = self._where.value
        self._where.options = ["this slice", "volume", *regions]
        self._where.value = where if where in self._where.options else "this slice"
        self._setting = False
        self._measure()

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
        low, high = self._slider.value
        self._setting = True
        self._low.value = "" if low <= self._slider.min else f"{low:.4g}"
        self._high.value = "" if high >= self._slider.max else f"{high:.4g}"
        self._setting = False
        self.look()

    def _turned(self) -> None:
        if self._on_show:
            self._ask(self._limits())

    def _measure(self) -> None:
        """Find how far the slider goes."""
        self._ask({})

    def _ask(self, limits: dict[str, float]) -> None:
        owner, channel = self._owner, self._channel.value
        labels, box, axis, index = owner.labels, owner.view.visible_box(), owner.view.axis, owner.view.index
        if box.size > _MOST:
            self._words.value = "Zoom in to see what is in the range."
            return
        self._latest.ask(lambda: (limits, axis, index, box, labels.in_range(box=box, channel=channel, **limits)))

    def _show(self, answer: Any) -> None:
        limits, axis, index, box, (mask, (low, high)) = answer
        self._reach(low, high)
        if not limits:
            return
        across = "zyx".index(axis)
        top, left = (start for at, start in enumerate(box.start) if at != across)
        self._owner.preview.show(axis, [(index, (top, left), mask.squeeze(across))], self._owner.color)
        self._on_show = True
        share = float(np.mean(mask))
        self._words.value = html.escape(f"{share:.1%} of what is in sight would be labelled here.")

    def _reach(self, low: float, high: float) -> None:
        """Let the slider go from the smallest to the largest intensity seen so far."""
        slider = self._slider
        first = slider.max == 1.0 and slider.min == 0.0 and slider.value == (0.0, 1.0)
        low, high = (low, high) if first else (min(low, slider.min), max(high, slider.max))
        if not np.isfinite([low, high]).all() or high <= low or (low, high) == (slider.min, slider.max):
            return
        begin, end = slider.value
        whole = first or begin <= slider.min, first or end >= slider.max
        self._setting = True
        slider.min, slider.max = (min(low, slider.min), high) if high > slider.min else (low, high)
        slider.min, slider.step = low, (high - low) / 400
        slider.value = (low if whole[0] else begin, high if whole[1] else end)
        self._setting = False


def _field(name: str, words: str) -> w.Text:
    return classed(w.Text("", **labelled(name, words)), "vx-grow")
