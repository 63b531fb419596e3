"""A picture with its tools beside it, and below them what must stay in sight. No behaviour."""

from __future__ import annotations

import ipywidgets as w

from voxloop.panels.base.panel import classed


def split(main: w.Widget, side: w.Widget, foot: w.Widget | None = None) -> w.HBox:
    """Picture left, tools right, which scroll by themselves; ``foot`` stays below them."""
    return classed(w.HBox([classed(main, "vx-main"), aside(side, foot)]), "vx-split")


def aside(side: w.Widget, foot: w.Widget | None = None) -> w.VBox:
    """A column that scrolls by itself; ``foot`` stays below it."""
    parts = [classed(side, "vx-side")]
    if foot is not None:
        parts.append(classed(foot, "vx-foot"))
    return classed(w.VBox(parts), "vx-aside")


def as_high_as_the_window(widget: w.DOMWidget, height: int | None = None) -> int:
    """Let a panel fill what the window shows, unless its picture has a ``height`` of its own; that of the picture.

    0: all that is left.
    """
    if height is None:
        classed(widget, "vx-tall")
    return height or 0
