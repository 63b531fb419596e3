"""A list of places worth painting, gone through one after the other: shown, skipped, done. Labels nothing."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.panels.base.panel import Panel, button, column, row, show, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Latest
from voxloop.panels.view.plane_view import PlaneView
from voxloop.panels.view.prediction_layers import frame
from voxloop.panels.view.thumbnails import thumbnail

if TYPE_CHECKING:
    from voxloop.review import Suggestion
    from voxloop.store import Edit
    from voxloop.workspace.workspace import Workspace

SUGGESTIONS = 8
#: pixels after which the list scrolls
_HEIGHT = 190
_HEAD = ("", "Place, and why", "Gain, time")
#: the strategies in words
STRATEGIES = {
    "gain": "most learned per second",
    "uncertainty": "most that is unsure",
    "score": "least sure finds",
    "diversity": "unlike the others",
    "kmeans": "one of each kind",
    "random": "by chance",
    "stride": "every n-th plane",
    "motion": "where most moves",
}
_NEED_PREDICTION = ("uncertainty", "score")
_OF_FRAMES = ("motion",)
#: edits that do not say that somebody looked at a place
_NO_STROKES = ("accept", "undo", "redo", "erase", "load")


@dataclass(frozen=True, slots=True)
class Wish:
    """What places are looked for: ``prediction`` names what is corrected, None before any.

    ``images`` as ``ws.suggest`` takes them; ``frames``: planes are pictures of their own.
    """

    prediction: str | None = None
    images: str | None = None
    frames: bool = False


@dataclass(slots=True)
class _Entry:
    place: Suggestion
    picture: str
    is_done: bool = field(default=False)


class Places:
    """Suggestions in turn, in a list. ``current`` is the one on show, None before the first.

    While it ``is_away`` the picture serves something else: a list that arrives then draws nothing and goes nowhere.

    Parameters
    ----------
    wish
        Says what is to be looked for; may raise what keeps it from being looked for.
    show_place
        Shows the image and prediction that a place is of.
    hint
        What stands there before places were looked for.
    keys
        By which one goes to the next place.
    tell_code
        Called with the line of Python that looks for places.
    more
        Buttons beside those that go through the list.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        view: PlaneView,
        *,
        wish: Callable[[], Wish],
        show_place: Callable[[Suggestion], object],
        hint: str,
        keys: str,
        tell_code: Callable[[str], object],
        more: tuple[w.Button, ...] = (),
    ) -> None:
        self._panel, self._ws, self._view = panel, ws, view
        self._wish, self._show_place, self._tell_code = wish, show_place, tell_code
        self._hint = f'<span class="vx-dim">{html.escape(hint)}</span>'
        self._entries: list[_Entry] = []
        self._at = -1
        self._right: list[Suggestion] = []
        self._asked = False
        self._goes_there = True
        self.is_away = False
        self._looking: Latest[list[_Entry]] = Latest(panel, self._found, failed=self._failed)
        handler = panel.handler
        self._words = text(self._hint, markup=True)
        self._strategy: Any = w.Dropdown(options=self._offered(Wish()), value="gain", tooltip="Which places")
        self._strategy.observe(handler(self._strategy_chosen), "value")
        self._rows = RowList(handler(self._do), head=_HEAD, right=(2,), height=_HEIGHT)
        again = button("", handler(self.look), icon="refresh", tooltip="Look for places anew")
        steps = row(
            button("", handler(lambda: self.step(-1)), icon="arrow-left", tooltip="Previous place"),
            button("Next place", handler(lambda: self.step()), tooltip=f"Where a stroke helps most ({keys})"),
            button("Skip", handler(self.skip), tooltip="Not this one (X)"),
            *more,
        )
        self._list = column(self._rows.widget)  # a list of anywidget does not come back by itself once it was hidden
        self.widget = column(row(self._strategy, again), self._words, steps, self._list)
        self._show_rows()

    # --------------------------------------------------------------------------------------------------------- state

    @property
    def suggestions(self) -> tuple[Suggestion, ...]:
        """Places that were not seen to yet, best first."""
        return tuple(entry.place for entry in self._entries if not entry.is_done)

    @property
    def current(self) -> Suggestion | None:
        """The place on show."""
        return self._entries[self._at].place if 0 <= self._at < len(self._entries) else None

    @property
    def strategy(self) -> str:
        """By which rule places are looked for."""
        return str(self._strategy.value)

    @strategy.setter
    def strategy(self, name: str) -> None:
        self._strategy.value = name

    # ------------------------------------------------------------------------------------------------------- looking

    def look(self, *, go_there: bool = True) -> None:
        """Look for places, and go to the first."""
        wish, strategy, ws, right = self._wish(), self.strategy, self._ws, tuple(self._right)
        self._offer(wish)
        self._words.value = '<span class="vx-dim">Looking for places …</span>'
        self._tell_code(_code(wish, strategy))
        self._asked = True
        self._goes_there = go_there
        self._looking.ask(lambda: _look(ws, wish, strategy, right))

    def renew(self) -> None:
        """There is something new to go by: the list is made anew where there was one, the picture stays."""
        if self._asked:
            self.look(go_there=False)

    def forget(self) -> None:
        """Have no places; :meth:`renew` still knows whether there were any."""
        self._looking.forget()
        self._entries, self._at = [], -1
        self.show()

    def _found(self, entries: list[_Entry]) -> None:
        self._entries, self._at = entries, -1
        self.show()
        if not entries:
            self._words.value = "Nothing unsure is left." if self._wish().prediction else "There is nowhere to paint."
        elif self._goes_there and not self.is_away:
            self.step()

    def _failed(self, error: BaseException) -> None:
        self.forget()
        self._panel.show_error(error)

    # --------------------------------------------------------------------------------------------------------- going

    def step(self, by: int = 1) -> None:
        """Go on to the next place, or back; those that are done leave. Looks for places where none are known."""
        here = self.current
        ahead = [entry for entry in self._entries[self._at + 1 :] if not entry.is_done]
        behind = [entry for entry in self._entries[: max(0, self._at)] if not entry.is_done]
        stays = here is not None and not self._entries[self._at].is_done
        waiting = [*behind, *([self._entries[self._at]] if stays else []), *ahead]
        if not waiting:
            self.look()
            return
        at = len(behind) - (0 if stays else 1)
        if by < 0 and not stays:
            at = len(behind)
        self._entries = waiting
        self._go((at + by) % len(waiting))

    def skip(self) -> None:
        """Take the place on show off the list and go on to the next; untouched, it is not looked for again."""
        if self.current is None:
            self.step()
            return
        if not self._entries[self._at].is_done:
            self._right.append(self._entries[self._at].place)
        self._entries[self._at].is_done = True
        if self.suggestions:
            self.step()
        else:
            self._entries, self._at = [], -1
            self.show()
            self._words.value = "All places are seen to; N looks for others."

    def finish(self, place: Suggestion) -> None:
        """This one was seen to: go on to the one after it."""
        if place == self.current:
            self.skip()
        else:
            self._mark(lambda entry: entry.place == place)

    def note_edit(self, image: str, edit: Edit) -> None:
        """A place that got strokes is done: it leaves when the hand goes on. What was accepted leaves the unsure."""
        if edit.tool in _NO_STROKES:
            return
        self._mark(lambda entry: entry.place.image == image and entry.place.box.meet(edit.box) is not None)

    def _mark(self, fits: Callable[[_Entry], bool]) -> None:
        changed = [entry for entry in self._entries if not entry.is_done and fits(entry)]
        for entry in changed:
            entry.is_done = True
        if changed:
            self.show()

    def _go(self, at: int) -> None:
        self._at = at
        place = self._entries[at].place
        self._show_place(place)
        if self._view.axis != place.axis:
            self._view.go_to_plane(place.index, place.axis)
        self._view.go_to(place.centre, zoom_in=True)
        self.show()

    def _do(self, action: str, key: str) -> None:
        at = next((at for at, entry in enumerate(self._entries) if _key(entry.place) == key), None)
        if at is not None:
            self._go(at)

    # ------------------------------------------------------------------------------------------------------- showing

    def show(self, image: str | None = None) -> None:
        """Frame all places of the image on show, the current one with an unbroken line, and say why it is one."""
        current = self.current
        image = image or (current.image if current is not None else None)
        shapes = [
            frame(entry.place.box, entry.place.axis, dashed=entry.place != current)
            for entry in self._entries
            if image in (None, entry.place.image)
        ]
        if not self.is_away:
            self._view.set_shapes(shapes)
        self._show_rows()
        if current is None:
            self._words.value = self._hint
            return
        axis = "slice" if current.axis == "z" else f"{current.axis} ="
        count = f"<b>{self._at + 1} of {len(self._entries)}</b>"
        self._words.value = f"{count}, {axis} {current.index}: {html.escape(current.reason)}"

    def _show_rows(self) -> None:
        several = len({entry.place.image for entry in self._entries}) > 1
        self._rows.show(_row(entry, with_image=several) for entry in self._entries)
        self._rows.selected = _key(self.current) if self.current is not None else ""
        show(self._list, bool(self._entries))

    def _offered(self, wish: Wish) -> list[tuple[str, str]]:
        names = list(STRATEGIES)
        if wish.prediction is None:
            names = [name for name in names if name not in _NEED_PREDICTION]
        if not wish.frames:
            names = [name for name in names if name not in _OF_FRAMES]
        return [(STRATEGIES[name], name) for name in names]

    def _offer(self, wish: Wish) -> None:
        options = tuple(self._offered(wish))
        if options != tuple(self._strategy.options):
            chosen = self.strategy
            with self._strategy.hold_trait_notifications():
                self._strategy.options = options
                self._strategy.value = chosen if chosen in dict(options).values() else "gain"

    def _strategy_chosen(self) -> None:
        if self._asked:
            self.look()


def _look(ws: Workspace, wish: Wish, strategy: Any, right: tuple[Suggestion, ...]) -> list[_Entry]:
    """Places with their pictures; off the UI thread."""
    found = ws.suggest(wish.prediction, SUGGESTIONS, strategy=strategy, images=wish.images, seen=right)
    volumes = {name: ws.images.open(name) for name in {place.image for place in found}}
    return [_Entry(place, thumbnail(volumes[place.image], place.box)) for place in found]


def _code(wish: Wish, strategy: str) -> str:
    arguments = [] if wish.prediction is None else [repr(wish.prediction)]
    if strategy != "gain":
        arguments.append(f"strategy={strategy!r}")
    if wish.images is not None:
        arguments.append(f"images={wish.images!r}")
    return f"ws.suggest({', '.join(arguments)})"


def _key(place: Suggestion) -> str:
    return f"{place.image} {place.axis} {place.box.to_json()}"


def _row(entry: _Entry, *, with_image: bool) -> Row:
    place = entry.place
    where = f"{place.axis} {place.index}"
    if with_image:
        where = f"{place.image}, {where}"
    mark = " ✓" if entry.is_done else ""
    reason, _, _ = place.reason.partition(";")  # what comes behind it stands in the column of numbers
    words = f'<b>{html.escape(where)}</b>{mark}<br><span class="vx-small">{html.escape(reason)}</span>'
    return Row(_key(place), (entry.picture, words, _numbers(place)), title=_title(place))


def _numbers(place: Suggestion) -> str:
    gain = f"{place.share:.0%}" if place.share else f"{place.score:.2f}"
    return f'{gain}<br><span class="vx-dim">{place.seconds:.0f} s</span>'


def _title(place: Suggestion) -> str:
    about = "of what may be wrong looks like this" if place.prediction else "of the image looks like this"
    share = f"{place.share:.0%} {about}; " if place.share else ""
    return f"{share}worth {place.score:.2f} of the first place for each second; about {place.seconds:.0f} s of yours"
