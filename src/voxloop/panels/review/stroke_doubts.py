"""Strokes that models contradict, one after the other at the picture: kept or dropped. Judges nothing by itself."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from voxloop.panels.base.panel import Panel, button, row, section, swatch, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Attempt, Latest
from voxloop.panels.review.picture_task import Key, PictureTask
from voxloop.panels.review.subject import ReviewSubject
from voxloop.panels.view.pictured_doubts import PicturedDoubt, look_for_doubts, place_of
from voxloop.panels.view.prediction_layers import PREDICTION, UNCERTAINTY, frame

if TYPE_CHECKING:
    from voxloop.review import Doubt
    from voxloop.store import Edit

#: voxels in sight around a stroke at least
AROUND = 96
#: pixels after which the list scrolls
_HEIGHT = 260
_GROUP = "Strokes in doubt"


class StrokeDoubts(PictureTask):
    """A list of strokes, the surest contradiction first.

    Parameters
    ----------
    undo
        Takes the last edit of labels back.
    tell_code
        Called with the line of Python for what was done.
    leave
        What the button that leaves does.
    """

    hides = (PREDICTION, UNCERTAINTY)

    def __init__(
        self,
        panel: Panel,
        subject: ReviewSubject,
        pictured: list[PicturedDoubt],
        *,
        undo: Callable[[], object],
        tell_code: Callable[[str], object],
        leave: Callable[[], object],
    ) -> None:
        self._panel, self._subject, self._undo, self._tell_code = panel, subject, undo, tell_code
        self.doubts: list[Doubt] = []
        self._pictures: dict[str, str] = {}
        self._found = pictured
        self.current: Doubt | None = None
        self._words = text()
        self._rows = RowList(
            panel.handler(self._open),
            head=("", "Painted, but models say", "Sure", "Slice"),
            right=(2, 3),
            height=_HEIGHT,
        )
        self._dropping = Attempt(panel, lambda doubt: (doubt, doubt.drop()), self._dropped)
        self._looking: Latest[list[PicturedDoubt]] = Latest(panel, self._take)
        handler = panel.handler
        self.widget = section(
            "Strokes in doubt",
            self._words,
            self._rows.widget,
            row(
                button("Next", handler(self.look_at_next), tooltip="N; back with Shift N"),
                button("Keep", handler(self.keep), tooltip="The stroke is right: it is not asked about again (K)"),
                button("Drop", handler(self.drop), tooltip="Take its labels away; undo takes that back (D)"),
                button("", handler(self.undo), icon="undo", tooltip="Undo (Ctrl Z)"),
            ),
            row(button("Leave", handler(leave))),
        )

    def begin(self) -> None:
        """List the strokes and look at the first."""
        self._take(self._found)

    # ------------------------------------------------------------------------------------------------------- looking

    def look_at_next(self, step: int = 1) -> None:
        """Look at the next stroke, or with -1 at the one before."""
        if not self.doubts:
            return
        at = self.doubts.index(self.current) + step if self.current in self.doubts else 0
        self.look_at(self.doubts[at % len(self.doubts)])

    def look_at(self, doubt: Doubt) -> None:
        """Show where the stroke lies, framed."""
        self.current = doubt
        self._rows.selected = _key(doubt)
        self._subject.show_labels(doubt.level, doubt.image)
        box, axis, index = place_of(doubt)
        view = self._subject.view
        view.go_to_plane(index, axis)
        view.look_around(box.centre, max(AROUND, 2 * max(box.shape)))
        view.set_shapes([frame(box.grow((2, 2, 2)), axis, index)])

    # ------------------------------------------------------------------------------------------------------- judging

    def keep(self) -> None:
        """The stroke on show is right."""
        doubt = self.current
        if doubt is None:
            self.look_at_next()
            return
        doubt.keep()
        self._tell_code(f"ws.doctor()[{self.doubts.index(doubt)}].keep()")
        self._remove(doubt)

    def drop(self) -> None:
        """The stroke on show is wrong: its labels go."""
        doubt = self.current
        if doubt is None:
            self.look_at_next()
            return
        if not self._dropping.busy:
            self._tell_code(f"ws.doctor()[{self.doubts.index(doubt)}].drop()")
            self._dropping(doubt)

    def undo(self) -> None:
        """Take the last edit of labels back; a stroke that comes back is in doubt again."""
        self._undo()
        ws = self._subject.ws
        self._looking.ask(lambda: look_for_doubts(ws))

    def _dropped(self, done: tuple[Doubt, Edit]) -> None:
        doubt, edit = done
        self._panel.say(f"{edit.voxels:,} voxels are unlabelled again; undo takes that back.", "good")
        self._remove(doubt)

    def _remove(self, doubt: Doubt) -> None:
        if doubt not in self.doubts:
            return
        at = self.doubts.index(doubt)
        self.doubts.remove(doubt)
        self.current = None
        self._show()
        if self.doubts:
            self.look_at(self.doubts[at % len(self.doubts)])
        else:
            self._subject.view.set_shapes([])

    def _take(self, pictured: list[PicturedDoubt]) -> None:
        self.doubts = [doubt for doubt, _ in pictured]
        self._pictures = {_key(doubt): picture for doubt, picture in pictured}
        self.current = None
        self._show()
        self.look_at_next()

    def _open(self, _: str, key: str) -> None:
        doubt = next((one for one in self.doubts if _key(one) == key), None)
        if doubt is not None:
            self.look_at(doubt)

    def _show(self) -> None:
        several = len({doubt.image for doubt in self.doubts}) > 1
        names = {item.name: item.color for item in self._subject.labels.level.classes}
        pictures = self._pictures
        self._rows.show(
            Row(_key(doubt), (pictures[_key(doubt)], *_cells(doubt, names, several))) for doubt in self.doubts
        )
        count = len(self.doubts)
        if not count:
            self._words.value = "No stroke is left that models contradict."
            return
        strokes = "stroke is" if count == 1 else "strokes are"
        self._words.value = (
            f"{count} {strokes} contradicted by models that had not learned from them. {self._left_out}"
            "What is rare and true looks the same: look before you drop."
        )

    @property
    def _left_out(self) -> str:
        """What the last training did with some of them."""
        left_out = sum(doubt.left_out for doubt in self.doubts)
        if not left_out:
            return ""
        was = "was" if left_out == 1 else "were"
        return f"{left_out} of them {was} left out of the last training; what you keep is learned by the next. "

    # ---------------------------------------------------------------------------------------------------------- keys

    def keys(self, usual: Sequence[Key]) -> list[Key]:
        own = [
            ("n", "look at the next stroke", "next"),
            ("shift+n", "look at the stroke before", "previous"),
            ("k", "keep it: not asked about again", "keep"),
            ("d", "drop it: its labels go", "drop"),
            ("ctrl+z", "undo", "undo"),
        ]
        return [{"key": key, "group": _GROUP, "label": label, "action": action} for key, label, action in own]

    def act(self, name: str) -> None:
        actions: dict[str, Callable[[], object]] = {
            "next": self.look_at_next,
            "previous": lambda: self.look_at_next(-1),
            "keep": self.keep,
            "drop": self.drop,
            "undo": self.undo,
        }
        if name in actions:
            actions[name]()

    def leave(self) -> None:
        self._looking.forget()
        subject = self._subject
        subject.view.set_shapes([])
        if subject.prediction is not None:
            subject.show_labels(subject.prediction.level, subject.prediction.image)


def _key(doubt: Doubt) -> str:
    return f"{doubt.level}/{doubt.image}/{doubt.sequence}"


def _cells(doubt: Doubt, colors: dict[str, str], with_image: bool) -> tuple[str, ...]:
    place = str(doubt.region[0].start)
    if with_image:
        place = f"{doubt.image} {place}"
    named = (f"{swatch(colors.get(name, '#999999'))}{html.escape(name)}" for name in (doubt.label, doubt.said))
    painted, said = (f'<span style="white-space:nowrap">{cell}</span>' for cell in named)
    sure = f"{doubt.confidence:.0%}" + ("<br>left out" if doubt.left_out else "")
    return f"{painted}<br>{said}", sure, html.escape(place)
