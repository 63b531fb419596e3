"""Many images, frames or tiles in a grid: found, chosen, flagged, given a class, put into sets, opened to label."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w
import numpy as np

from voxloop.errors import LabelError, VoxloopError
from voxloop.panels.base.access import read_only_words
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, row, show, spacer, text
from voxloop.panels.base.split import as_high_as_the_window, split
from voxloop.panels.base.ui import on_ui
from voxloop.panels.base.work import Latest
from voxloop.panels.pictures.folder_box import FolderBox
from voxloop.panels.pictures.item_edits import ItemEdits
from voxloop.panels.pictures.item_facts import ItemFacts, look, marks_of, nothing_known, order_of
from voxloop.panels.pictures.item_filter import FilterBox
from voxloop.panels.pictures.picture_grid import PictureGrid
from voxloop.panels.pictures.say_box import QUALITY_KEYS, STATUS_KEYS, SayBox
from voxloop.panels.pictures.table_box import TableBox
from voxloop.panels.pictures.teaching_box import TeachingBox
from voxloop.panels.pictures.thumbs import Thumbnails
from voxloop.panels.pictures.tile_box import TileBox

if TYPE_CHECKING:
    from voxloop.store import Catalogue, ItemEntry
    from voxloop.workspace.workspace import Workspace

#: pictures made in one go at most, and seconds after which those made so far are sent
_BATCH, _SECONDS = 24, 0.06


class PicturesPanel(Panel):
    """Work through many images, frames or tiles.

    Parameters
    ----------
    ws
        The workspace. Where another process writes it, the panel shows everything and changes nothing.
    items
        ``"images"``, ``"frames"``, or the name of a grid of tiles (``ws.tiles.add``); tiles where there are any, else
        images, or the frames of the only one.
    on_open
        Called with the name of an item that is to be labelled (Enter, or a double click); :attr:`opened` is the last.

    Examples
    --------
    >>> panel = vl.PicturesPanel(film, "frames")
    >>> panel.choose(["film/0", "film/2"])
    >>> panel.chosen
    ['film/0', 'film/2']
    """

    @on_ui
    def __init__(
        self,
        ws: Workspace,
        items: str | None = None,
        *,
        on_open: Callable[[str], object] | None = None,
        embedded: bool = False,
    ) -> None:
        super().__init__(embedded=embedded)
        as_high_as_the_window(self.widget)
        self.ws, self._on_open = ws, on_open
        self.opened: str | None = None
        self.catalogue: Catalogue = ws.catalogue(items if items is not None else _first(ws))
        self.facts: ItemFacts = nothing_known(0)
        self._entries: dict[int, ItemEntry] = {}
        self._wanted: list[int] = []
        self._making = False
        self._seen = -1
        self.grid = PictureGrid(self._asked, self._chosen, self.handler(self._key))
        self.thumbs = Thumbnails(ws, self.catalogue)
        self.code = CopyCode()
        self.edits = ItemEdits(self)
        self._looks: Latest[ItemFacts] = Latest(self, self._take_facts)
        self._build()
        self.on_close(self._leave)
        self.show_items(self.catalogue.name)
        self.every(0.5, self._tick)

    def _build(self) -> None:
        on = self.handler
        self.tiles = TileBox(self, self.ws, self.show_items, self.tell_code)
        self.filter = FilterBox(self, self.show)
        self.say_box = SayBox(self, self.edits.say, self.edits.assign, self.open)
        self.teaching = TeachingBox(self, self.ws, self.edits.put, self.look)
        self.folder = FolderBox(self, self.ws, self._came_in, self.tell_code, self.edits.steps.note)
        self.table = TableBox(self, self._save, self._load)
        self.counts = text("", "vx-number")
        self._banner = text("", "vx-banner")
        undo = button("", on(self.edits.undo), icon="undo", tooltip="Undo (Ctrl Z)")
        redo = button("", on(self.edits.redo), icon="repeat", tooltip="Redo (Ctrl Shift Z)")
        self.side_px = w.IntSlider(value=104, min=64, max=256, step=8, readout=False, tooltip="Size of the pictures")
        self.side_px.observe(lambda change: self.grid.widget.set_trait("side", int(change["new"])), "value")
        self.side_px.layout.width = "110px"
        head = row(self.tiles.items, self.counts, spacer(), self.side_px, undo, redo)
        frame = classed(w.VBox([self.grid.widget]), "vx-fills", "vx-grid-frame")
        side = w.VBox(
            [
                self.say_box.widget,
                self.filter.widget,
                self.teaching.widget,
                self.tiles.fold.widget,
                self.folder.fold.widget,
                self.table.fold.widget,
                self.code,
            ]
        )
        side.add_class("vx-panel")
        self.body(self._banner, split(column(head, frame, self.message.widget), side), message=False)

    # --------------------------------------------------------------------------------------------------- which items

    @on_ui
    def show_items(self, name: str) -> None:
        """List other items: ``"images"``, ``"frames"``, or a grid of tiles."""
        self.catalogue = self.ws.catalogue(name)
        self.thumbs.close()
        self.thumbs = Thumbnails(self.ws, self.catalogue)
        self.tiles.show(name)
        self.facts, self._wanted = nothing_known(len(self.catalogue)), []
        self.grid.clear()
        self.refresh()

    @on_ui
    def refresh(self) -> None:
        """Look anew at items, labels, classes and sets."""
        self.tiles.offer()
        if self.catalogue.name not in (value for _, value in self.tiles.items.options):
            self.show_items("images")
            return
        self.teaching.offer()
        reason = read_only_words(self.ws) if self.catalogue.read_only else ""
        self._banner.value = html.escape(reason)
        show(self._banner, bool(reason))
        self.grid.widget.empty = "No item fits. Take the filters back, or search for something else."
        if not len(self.catalogue):
            self.grid.widget.empty = "There is nothing here yet: add a folder of pictures at the right."
        self.show()
        self.look()

    def look(self) -> None:
        """Find out about labels, classes and sets, off the UI thread."""
        self.thumbs.level = self.level
        self._looks.ask(partial(look, self.ws, self.catalogue, self.level, self.kinds, self.teaching.names))

    @property
    def level(self) -> str | None:
        """Whose labels lie over the pictures, and teach."""
        level: str | None = self.teaching.level.value
        return level

    @property
    def kinds(self) -> str | None:
        """The level of classes of pictures that keys give."""
        return next(iter(self.ws.levels.of_kind("pictures")), None)

    def _take_facts(self, facts: ItemFacts) -> None:
        if len(facts.labelled) != len(self.catalogue):  # other items by now
            self.look()
            return
        before, self.facts = self.facts, facts
        self.show()
        if len(before.labelled) == len(facts.labelled):
            painted = np.flatnonzero(before.labelled | facts.labelled)
            if painted.size:
                self.grid.forget([int(item) for item in painted])

    def show(self) -> None:
        """Marks, filter and order as they are now."""
        catalogue = self.catalogue
        self._entries, self._seen = catalogue.entries(), catalogue.sequence
        classes = self.ws.levels[self.kinds].classes if self.kinds else ()
        people = sorted({entry.assignee for entry in self._entries.values() if entry.assignee}, key=str.lower)
        self.filter.offer(people, [item.name for item in classes])
        self.say_box.offer(people, classes)
        keys = [*STATUS_KEYS.values(), *QUALITY_KEYS.values(), "Backspace", *(item.shortcut for item in classes)]
        self.grid.widget.hotkeys = [key for key in keys if key]
        order = order_of(catalogue, self._entries, self.facts, self.filter.wanted)
        marks = marks_of(len(catalogue), self._entries, self.facts)
        self.grid.show(order, marks, self.facts.tints, [dict(one) for one in self.facts.palette])
        self.filter.tell(len(order), len(catalogue))
        self.counts.value = html.escape(catalogue.words)
        self._chosen()

    # --------------------------------------------------------------------------------------------------- what is chosen

    @property
    def chosen(self) -> list[str]:
        """Names of the items that are chosen, in the order in which they stand there."""
        names = self.catalogue.names
        return [names[item] for item in self.grid.chosen if item < len(names)]

    @on_ui
    def choose(self, items: Sequence[str]) -> None:
        """Choose items by name, and bring the first into sight."""
        places = self.catalogue.items.places
        missing = next((name for name in items if name not in places), None)
        if missing is not None:
            raise LabelError(f"item {missing!r} is not in {self.catalogue.name!r}")
        self.grid.choose([places[name] for name in items])

    def _chosen(self) -> None:
        """Other items are chosen, or something else is said of them."""
        items = self.grid.chosen
        names = self.catalogue.names
        title = "Nothing chosen" if not items else names[items[0]] if len(items) == 1 else f"{len(items):,} chosen"
        entries = [self._entries.get(item, _nothing()) for item in items]
        tints = {int(self.facts.tints[item]) for item in items} if len(self.facts.tints) == len(names) else set()
        only = tints.pop() if len(tints) == 1 else 0
        label = str(self.facts.palette[only - 1]["name"]) if only else None
        editable = not self.catalogue.read_only
        self.say_box.show(title, entries, label, editable=editable)
        counts = [int((self.facts.sets == value).sum()) for value in (1, 2, 3)]
        self.teaching.show(counts, enabled=bool(items) and editable)

    @on_ui
    def open(self) -> None:
        """Label the item under the cursor."""
        item = self.grid.current
        if item is None and self.grid.chosen:
            item = self.grid.chosen[0]
        if item is None:
            raise LabelError("choose an item first")
        self.opened = self.catalogue.names[item]
        if self._on_open is not None:
            self._on_open(self.opened)
        else:
            self.say(f"{self.opened}: pictures.opened is its name; PicturesPanel(ws, on_open=...) is told of it.")

    @property
    def order(self) -> list[str]:
        """Names of the items as they stand there."""
        names = self.catalogue.names
        return [names[item] for item in self.grid.order.tolist()]

    def _key(self, key: str) -> None:
        actions: dict[str, Callable[[], object]] = {
            "open": self.open,
            "undo": self.edits.undo,
            "redo": self.edits.redo,
            "Backspace": lambda: self.edits.assign(None),
        }
        for name, own in STATUS_KEYS.items():
            actions[own] = partial(self.edits.say, status=name)
        for name, own in QUALITY_KEYS.items():
            actions[own] = partial(self.say_box._flag, name)
        for item in self.ws.levels[self.kinds].classes if self.kinds else ():
            if item.shortcut:
                actions[item.shortcut] = partial(self.edits.assign, item.name)
        if key in actions:
            actions[key]()

    def tell_code(self, code: str) -> None:
        """The line of Python for what was done last."""
        self.code.code = code

    # ------------------------------------------------------------------------------------------------------- pictures

    def _asked(self, items: list[int]) -> None:
        """The page wants these pictures; what it wanted before is forgotten."""
        self._wanted = items
        if not self._making:
            self._make_more()

    def _make_more(self) -> None:
        items, self._wanted = self._wanted[:_BATCH], self._wanted[_BATCH:]
        if not items or self.closed:
            self._making = False
            return
        self._making = True
        thumbs, facts, names = self.thumbs, self.facts, self.catalogue.names
        known = len(facts.labelled) == len(names)

        def make() -> tuple[list[int], list[bytes], list[str]]:
            end, pictures, faults = time.monotonic() + _SECONDS, [], []
            for item in items:
                try:
                    pictures.append(thumbs.picture(item, known and bool(facts.labelled[item])))
                    faults.append("")
                except (VoxloopError, OSError, IndexError) as error:
                    pictures.append(b"")
                    faults.append(f"cannot be shown: {error}")
                if time.monotonic() > end:
                    break
            return items[: len(pictures)], pictures, faults

        def made(found: tuple[list[int], list[bytes], list[str]]) -> None:
            done, pictures, faults = found
            if thumbs is self.thumbs:
                self.grid.put(done, pictures, [names[item] for item in done], faults)
                if self._wanted is rest:  # nothing newer was asked for
                    self._wanted = [*items[len(done) :], *rest]
            self._make_more()

        rest = self._wanted
        self.in_thread(make, made, self._failed)

    def _failed(self, error: BaseException) -> None:
        self._making = False
        self.show_error(error)

    # ------------------------------------------------------------------------------------------------------ following

    def _tick(self) -> None:
        """Take up what others said, and other images."""
        if self.catalogue.read_only:
            self.ws.store.refresh()
        if self.catalogue.name in self.ws.tiles or self.catalogue.name in ("images", "frames"):
            if len(self.catalogue) != len(self.facts.labelled):
                self.refresh()
            elif self.catalogue.sequence != self._seen:
                self.show()
        else:
            self.refresh()

    def _came_in(self, words: str) -> None:
        self.say(words, "good")
        self.refresh()

    def _save(self, path: str) -> str:
        written = self.catalogue.save(path)
        self.post(self.tell_code, f"ws.catalogue({self.catalogue.name!r}).save({path!r})")
        return f"Written to {written}"

    def _load(self, path: str) -> str:
        changed = self.catalogue.load(path)
        self.post(self.edits.loaded, path)
        return f"{changed:,} items changed"

    def _leave(self) -> None:
        self.thumbs.close()


def _first(ws: Workspace) -> str:
    """What is worth listing."""
    if ws.tiles.names:
        return ws.tiles.names[0]
    infos = ws.store.document.images
    return "frames" if len(infos) == 1 and infos[0].framed and infos[0].shape[0] > 1 else "images"


def _nothing() -> Any:
    from voxloop.store.catalogue.entry import NOTHING

    return NOTHING
