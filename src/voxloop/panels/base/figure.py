"""Figures of bqplot as all panels have them: as wide as their place, without motion and without a toolbar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bqplot as bq

from voxloop.panels.base.panel import classed


def plain_figure(
    marks: Sequence[bq.Mark], axes: Sequence[bq.Axis], height: int, margin: Mapping[str, int], **more: Any
) -> bq.Figure:
    """A figure of ``height`` CSS pixels; ``margin`` has top, bottom, left and right."""
    figure = bq.Figure(
        marks=list(marks),
        axes=list(axes),
        fig_margin=dict(margin),
        animation_duration=0,
        padding_x=0.0,
        padding_y=0.0,
        min_aspect_ratio=0.2,
        max_aspect_ratio=20.0,
        display_toolbar=False,
        **more,
    )
    figure.layout.height, figure.layout.width = f"{height}px", "100%"
    return classed(figure, "vx-curves")
