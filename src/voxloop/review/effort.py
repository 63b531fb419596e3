"""What annotating costs a person, in seconds, by the keystroke-level model. Numbers; no clocks, no brush.

Card, Moran and Newell (1980), "The keystroke-level model for user performance time with interactive systems",
Communications of the ACM 23(7), 396-410: a step is the sum of pressing a key (K), pointing with the mouse (P), drawing
a line (D, by its length on the screen) and deciding what to do (M). Learning and tiredness are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

#: a key of a good typist; pointing; deciding; beginning a line, and drawing a centimetre of it
KEY, POINT, DECIDE, LINE, CENTIMETRE = 0.2, 1.1, 1.35, 0.9, 0.16
#: a voxel on the screen: two pixels of 96 to the inch
CENTIMETRES_PER_VOXEL = 2 * 2.54 / 96
#: strokes at a suggested place: one inside what is wrong, one beyond its border
STROKES = 2
#: to find one's way in another image
ANOTHER_IMAGE = DECIDE + POINT


@dataclass(slots=True)
class AnnotationEffort:
    """Seconds spent so far, and where hand and eyes are.

    Attributes
    ----------
    seconds : spent so far.
    strokes, travels : how many strokes were painted, how often another plane was gone to.
    """

    seconds: float = 0.0
    strokes: int = 0
    travels: int = 0
    _plane: tuple[str, int] | None = None
    _value: int | None = None

    def go(self, axis: str, index: int, *, led: bool = False) -> None:
        """Come to a plane and look at it; ``led``: by the key that goes to the next suggestion, wherever that is."""
        if led:
            self.seconds += KEY + DECIDE
        elif self._plane != (axis, index):
            self.seconds += self._turning(axis, index) + DECIDE
        if self._plane != (axis, index):
            self.travels += 1
        self._plane = (axis, index)

    def paint(self, value: int, length: float) -> None:
        """A stroke of a class, ``length`` voxels long: decide, choose the class where it is another, point, draw."""
        if value != self._value:
            self.seconds += KEY
        self.seconds += DECIDE + POINT + LINE + CENTIMETRE * CENTIMETRES_PER_VOXEL * length
        self.strokes += 1
        self._value = value

    def _turning(self, axis: str, index: int) -> float:
        if self._plane is None:
            return 0.0
        if self._plane[0] != axis:
            return POINT
        # page by page, or by the slider where that is quicker
        return min(abs(self._plane[1] - index) * KEY, POINT)


def seconds_at(length: float, *, other_image: bool = False) -> float:
    """Seconds of a person who is led to a place and paints strokes of ``length`` voxels there, of two classes."""
    effort = AnnotationEffort()
    effort.go("z", 0, led=True)
    for value in range(STROKES):
        effort.paint(value, length)
    return effort.seconds + (ANOTHER_IMAGE if other_image else 0.0)
