"""The tools as buttons, with the settings of the one in the hand. Knows no labels: it changes a ToolState."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import button, column, labelled, mark, row, show
from voxloop.panels.label.tools import BY_NAME, TOOLS, ToolState


def number_typed(name: str, words: str) -> float | None:
    """The number in a field; None where it is empty. Raises LabelError."""
    words = words.strip().replace(",", ".")
    try:
        return float(words) if words else None
    except ValueError:
        raise LabelError(f"{name} {words[:20]!r} is no number; write one such as 12, or leave it empty") from None


class ToolBox:
    """Buttons of the tools above the settings that the chosen one has."""

    def __init__(self, handler: Callable[[Callable[..., object]], Callable[..., None]]) -> None:
        self.state = ToolState()
        self._has_pen = False
        self._suggested: tuple[float, float] | None = None
        self._buttons = {
            tool.name: button(
                "",
                handler(partial(self.choose, tool.name)),
                icon=tool.icon,
                tooltip=f"{tool.label} ({tool.key.upper()}): {tool.help}",
            )
            for tool in TOOLS
        }
        self.paint_buttons = [made for name, made in self._buttons.items() if name != "look"]
        self.radius = w.FloatSlider(
            min=0, max=60, step=1, readout_format=".0f", **labelled("Radius", "In voxels; [ and ] change it")
        )
        about = "How far intensities may lie apart; left empty, it is chosen from the noise around the click"
        self._tolerance = w.Text(placeholder="from the noise", continuous_update=False, **labelled("Tolerance", about))
        self._tolerance.observe(handler(self._tolerance_typed), "value")
        self._settings = {
            "radius": self._linked(self.radius, "radius"),
            "ball": self._linked(
                w.Checkbox(
                    indent=False,
                    **labelled("Ball: paint across slices (D)", "Round in micrometres, whatever the spacing"),
                ),
                "ball",
            ),
            "mode": self._linked(
                w.Dropdown(
                    options=[
                        ("fill it", "add"),
                        ("take the class away inside", "subtract"),
                        ("keep the class only inside", "intersect"),
                        ("take every label away inside", "cut"),
                    ],
                    **labelled("Shape", "What the shape does to labels"),
                ),
                "mode",
            ),
            "pressure": self._linked(
                w.Checkbox(
                    indent=False,
                    **labelled("Pressure sets the radius", "Of a pen; half pressed it is the radius above"),
                ),
                "pressure",
            ),
            "range": column(
                self._linked(w.FloatText(**labelled("From", "The lowest intensity that is painted")), "low"),
                self._linked(w.FloatText(**labelled("To", "The highest intensity that is painted")), "high"),
            ),
            "fill": column(
                self._linked(
                    w.Dropdown(
                        options=[("intensity", "image"), ("label", "labels")],
                        **labelled("Match by", "What voxels must share with the one clicked to be filled"),
                    ),
                    "fill_by",
                ),
                self._tolerance,
                self._linked(
                    w.Checkbox(indent=False, **labelled("In three dimensions", "Also into other slices")), "fill_volume"
                ),
            ),
        }
        for widget in self._settings.values():
            widget.add_class("vx-setting")
        self.widget = column(row(*self._buttons.values(), classes=("vx-tools",)), *self._settings.values())
        self.state.observe(self._show, "tool")
        self._show()

    def add(self, name: str, widget: Any) -> None:
        """Show a widget below the buttons while a tool with this setting is in the hand."""
        widget.add_class("vx-setting")
        self._settings[name] = widget
        self.widget.children += (widget,)
        self._show()

    def choose(self, name: str) -> None:
        """Take a tool into the hand."""
        self.state.tool = name

    def offer(self, names: Sequence[str], on: bool) -> None:
        """Show the buttons of some tools, or hide them."""
        for name in names:
            show(self._buttons[name], on)

    def offer_pressure(self) -> None:
        """There is a pen: its pressure may set the radius."""
        self._has_pen = True
        self._show()

    def suggest_range(self, low: float, high: float) -> None:
        """The darker half of these intensities is what the threshold brush paints, until the hand says otherwise."""
        if self._suggested and (self.state.low, self.state.high) != self._suggested:
            return
        digits = 0 if high - low > 20 else 4
        self._suggested = round(low, digits), round((low + high) / 2, digits)
        self.state.low, self.state.high = self._suggested

    def _tolerance_typed(self) -> None:
        words = self._tolerance.value
        tolerance = number_typed("tolerance", words)
        if tolerance is not None and tolerance < 0:
            raise LabelError(f"tolerance {words} is below 0; write one such as 12, or leave it empty")
        self.state.tolerance = tolerance

    def _linked(self, widget: Any, trait: str) -> Any:
        widget.value = getattr(self.state, trait)
        widget.observe(lambda change: setattr(self.state, trait, change["new"]), "value")

        def follow(change: Any) -> None:
            if isinstance(widget, w.FloatSlider):
                widget.max = max(widget.max, change["new"])
            widget.value = change["new"]

        self.state.observe(follow, trait)
        return widget

    def _show(self, change: Any = None) -> None:
        tool = BY_NAME[self.state.tool]
        for name, made in self._buttons.items():
            mark(made, "vx-on", name == tool.name)
        for name, widget in self._settings.items():
            show(widget, name in tool.settings and (name != "pressure" or self._has_pen))
