"""Places worth correcting, one after the other: framed in the picture, said in a line. Labels nothing."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import text
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import frame

if TYPE_CHECKING:
    from voxloop.review import Suggestion

_HINT = '<span class="vx-dim">N looks for the place where a correction helps most.</span>'


class Places:
    """Suggestions in turn. ``current`` is the one on show, None before the first."""

    def __init__(self, view: PlaneView) -> None:
        self.widget = text(_HINT, markup=True)
        self._view = view
        self._suggestions: list[Suggestion] = []
        self._at = -1

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        return tuple(self._suggestions)

    @property
    def current(self) -> Suggestion | None:
        return self._suggestions[self._at] if 0 <= self._at < len(self._suggestions) else None

    def take(self, suggestions: Sequence[Suggestion]) -> None:
        """Have these places from now on, and go to the first."""
        self._suggestions, self._at = list(suggestions), -1
        self.show()
        if suggestions:
            self.step()
        else:
            self.widget.value = "Nothing unsure is left."

    def forget(self) -> None:
        """Have no places."""
        self._suggestions, self._at = [], -1
        self.show()

    def say_looking(self) -> None:
        """Say that places are looked for."""
        self.widget.value = '<span class="vx-dim">Looking for places …</span>'

    def step(self, by: int = 1) -> None:
        """Go on to the next place, or back."""
        self._at = (self._at + by) % len(self._suggestions)
        place = self._suggestions[self._at]
        if self._view.axis != place.axis:
            self._view.go_to_plane(place.index, place.axis)
        self._view.go_to(place.centre, zoom_in=True)
        self.show()

    def remove(self, place: Suggestion) -> None:
        """This one was seen to: go on to the one after it."""
        if place not in self._suggestions:
            return
        at = self._suggestions.index(place)
        self._suggestions.remove(place)
        if at <= self._at:
            self._at -= 1
        if self._suggestions:
            self.step()
        else:
            self.show()

    def show(self) -> None:
        """Frame all places, the current one with an unbroken line, and say why it is one."""
        shapes = [frame(place.box, place.axis, dashed=at != self._at) for at, place in enumerate(self._suggestions)]
        self._view.set_shapes(shapes)
        place = self.current
        if place is None:
            self.widget.value = _HINT
            return
        count = f"<b>{self._at + 1} of {len(self._suggestions)}</b>"
        self.widget.value = f"{count}, slice {place.box.start[0]}: {html.escape(place.reason)}"
