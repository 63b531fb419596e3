"""What shows in three dimensions and how much of it: a row for each surface. Knows no plot."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ipywidgets as w
import numpy as np

from voxloop.film.raster import Surface
from voxloop.panels.base.panel import Panel, classed, column, row, swatch, text


class SolidLooks:
    """A check box and an opacity for each surface and the image planes; ``changed(name, opacity)``."""

    def __init__(self, panel: Panel, changed: Callable[[str, float], object]) -> None:
        self._panel, self._changed = panel, changed
        self._names: list[str] = []
        self.widget = column()

    def show(self, surfaces: Iterable[Surface], opacity: dict[str, float]) -> None:
        """Rows for these surfaces."""
        for old in self.widget.children:
            old.close()
        self.widget.children = [
            self._row(surface.name, _color(surface), surface.words, opacity[surface.name]) for surface in surfaces
        ]

    def _row(self, name: str, color: str, words: str, opacity: float) -> w.HBox:
        shows = w.Checkbox(value=opacity > 0, indent=False, description=name, tooltip=words, layout={"width": "auto"})
        share = w.FloatSlider(
            value=opacity or 1.0, min=0.05, max=1, step=0.05, readout=False, tooltip=f"Opacity of {name}",
            layout={"margin": "0 10px 0 0"},
        )  # fmt: skip

        def tell() -> None:
            self._changed(name, float(share.value) if shows.value else 0.0)

        shows.observe(self._panel.handler(lambda _: tell()), "value")
        share.observe(self._panel.handler(lambda _: tell()), "value")
        about = classed(text(words), "vx-dim", "vx-small")
        line = row(*([text(swatch(color), markup=True)] if color else []), shows, classed(share, "vx-grow"))
        return column(line, about)


def _color(surface: Surface) -> str:
    """The colour of a class; objects have many."""
    if surface.numbers is not None:
        return ""
    red, green, blue = (int(value) for value in np.atleast_2d(surface.colors)[0])
    return f"#{red:02x}{green:02x}{blue:02x}"
