"""Pages of a PDF, filled from the top: headings, paragraphs, tables and figures. Knows nothing of what they say."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A4 and its margin, inches
_WIDTH, _HEIGHT, _MARGIN = 8.27, 11.69, 0.7
#: characters of a line of text, of a cell of a table, and of all its columns
_LINE, _CELL, _TABLE = 92, 38, 96
#: of a figure, inches
_HIGHEST = 8.5
INK, DIM = "#1d1f21", "#6b7075"


class TextPages:
    """Writes downwards and begins a new page where the old one is full; ``save`` takes a page that is done."""

    def __init__(self, save: Callable[[Any], object]) -> None:
        self._save = save
        self._page: Any = None
        self._at = 0.0

    def heading(self, words: str, size: float, below: Figure | None = None) -> None:
        """A line in bold; it is not left alone at the end of a page: so much of what is ``below`` goes with it."""
        self._room(1.2 if below is None else 0.9 + self._size(below)[1])
        self._at += 0.12
        self._line(words, size, INK, weight="bold")
        self._at += 0.06

    def paragraph(self, words: str, *, small: bool = False) -> None:
        """Words, wrapped."""
        for line in textwrap.wrap(words, _LINE + 12 * small) or [""]:
            self._line(line, 8 if small else 9, DIM if small else INK)
        self._at += 0.08

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as what they hold; wide tables in smaller print; cells that are too long are wrapped."""
        cells = [[textwrap.wrap(str(cell), _CELL) or [""] for cell in row] for row in [head, *rows]]
        widths = [max(len(line) for row in cells for line in row[at]) + 2 for at in range(len(head))]
        scale = min(1.0, _TABLE / sum(widths))
        size = max(4.0, 8 * scale)
        step = (_WIDTH - 2 * _MARGIN) / max(_TABLE, sum(widths))
        for number, row in enumerate(cells):
            self._room(0.2 * max(map(len, row)))
            x, top = _MARGIN, self._at
            for width, lines in zip(widths, row, strict=True):
                self._at = top
                for line in lines:
                    self._line(line, size, DIM if number == 0 else INK, x=x)
                x += width * step
            self._at = top + max(map(len, row)) * size * 1.45 / 72
        self._at += 0.12

    def figure(self, figure: Figure, words: str) -> None:
        """A figure as wide as the text at most, with its caption."""
        import numpy as np
        from matplotlib.image import imread

        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=200, facecolor="white")
        data.seek(0)
        picture = np.asarray(imread(data))
        width, height = self._size(figure)
        self._room(height + 0.3)
        place = (_MARGIN / _WIDTH, 1 - (self._at + height) / _HEIGHT, width / _WIDTH, height / _HEIGHT)
        axis = self._page.add_axes(place)
        axis.imshow(picture, aspect="auto", interpolation="antialiased")
        axis.set_axis_off()
        self._at += height + 0.04
        if words:
            self._line(words, 8, DIM)
        self._at += 0.1

    @staticmethod
    def _size(figure: Figure) -> tuple[float, float]:
        """As wide as the text at most, and not too high for a page; inches."""
        width, height = figure.get_size_inches()
        scale = min(1.0, (_WIDTH - 2 * _MARGIN) / width, _HIGHEST / height)
        return float(width * scale), float(height * scale)

    def close(self) -> None:
        """Save the last page."""
        if self._page is not None:
            self._save(self._page)
            self._page = None

    def _room(self, inches: float) -> None:
        if self._page is None or self._at + inches > _HEIGHT - _MARGIN:
            self.close()
            from voxloop.review.study_figure import new_figure

            self._page = new_figure(_WIDTH, _HEIGHT)
            self._page.set_layout_engine("none")
            self._at = _MARGIN

    def _line(self, words: str, size: float, color: str, *, x: float = _MARGIN, weight: str = "normal") -> None:
        height = size * 1.45 / 72
        self._room(height)
        self._page.text(
            x / _WIDTH, 1 - self._at / _HEIGHT, words, fontsize=size, color=color, va="top", weight=weight,
            parse_math=False,
        )  # fmt: skip
        self._at += height
