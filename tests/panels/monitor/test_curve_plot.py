"""How curves are drawn: told apart from what is behind them in both themes."""

from __future__ import annotations

import pytest

from voxloop.panels.monitor.curve_plot import BATCH_OPACITY, TRAIN, CurvePlot


def luminance(color):
    """Relative luminance of 0-255 sRGB (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (value / 255 for value in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", [0x11, 0xFF])
def test_batches_are_seen_on_the_dark_theme_and_the_light_one(ui, background):
    paint = [int(TRAIN[at : at + 2], 16) for at in (1, 3, 5)]
    drawn = [BATCH_OPACITY * value + (1 - BATCH_OPACITY) * background for value in paint]
    light, dark = sorted((luminance(drawn), luminance([background] * 3)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 2.5
    plot = CurvePlot("Loss")
    assert plot.marks[0].batches.opacities == [BATCH_OPACITY]
    plot.close()
