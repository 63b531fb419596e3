"""Single objects in the hand: clicks select, a line or two seeds cut, keys merge, remove, lock and go on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.geometry import Box
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, column, labelled, row, show, text
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Latest
from voxloop.panels.label.object_calls import MarkLayer, cut_call, ids_call
from voxloop.panels.label.tools import OF_OBJECTS, Call, voxel_of
from voxloop.panels.space.solid_beside import SolidBeside
from voxloop.panels.view.ink import StrokePiece
from voxloop.panels.view.shapes import VectorShape
from voxloop.panels.view.thumbnails import thumbnail
from voxloop.store.locks import LOCK, UNLOCK

if TYPE_CHECKING:
    from voxloop.panels.label.tool_box import ToolBox
    from voxloop.panels.label.tools import ToolState
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Edit, Labels
    from voxloop.workspace.workspace import Workspace

#: objects that are listed, voxels of a side of their pictures at least
LISTED, _AROUND = 24, 24
#: voxels up to which an object is shown whole
_SMALL = 1 << 21
#: the orders in words
_ORDERS = {"largest first": "size", "smallest first": "smallest", "by number": "number", "least sure first": "error"}


class ObjectsOwner(Protocol):
    """The panel whose labels are changed."""

    ws: Workspace
    labels: Labels
    view: PlaneView
    state: ToolState
    tools: ToolBox

    def edit(self, call: Call) -> None: ...


class ObjectHand:
    """Selection, cuts and marks on a level of instances; nothing of it is seen on one of classes."""

    def __init__(self, owner: Panel) -> None:
        self._owner: Any = owner
        self._panel = owner
        self.selected: tuple[int, ...] = ()
        self._seed: tuple[int, tuple[int, int, int]] | None = None
        self._errors: list[int] = []
        self._leave: Callable[[], object] = lambda: None
        self.marks = MarkLayer()
        self._rows: Latest[list[Row]] = Latest(owner, lambda rows: self.list.show(rows))
        shown: Any = owner
        self.solid = SolidBeside(owner, shown.ws, shown.view, lambda: shown.image, lambda: None, self._pick_in_solid)
        self.fold = Fold("Objects", self._build, lambda fold: self._show())
        self.widget = column(self.fold.widget)
        self._listens = False
        owner.on_close(lambda: self._leave())

    def follow(self, labels: Labels) -> None:
        """Other labels are in the hand."""
        owner: ObjectsOwner = self._owner
        self._leave()
        of_objects = labels.level.kind == "instances"
        show(self.widget, of_objects)
        owner.tools.offer(OF_OBJECTS, of_objects)
        if owner.state.tool in OF_OBJECTS and not of_objects:
            owner.state.tool = "look"
        if not self._listens:  # after the panel itself, whose handlers would wipe what is said here
            self._listens = True
            owner.view.on("click", self._on_click)
            owner.view.on("action", self._on_action)
        self._seed, self._errors = None, []
        show(self.solid.button, labels.shape[0] > 1)
        self.solid.follow()
        self.marks.labels = labels if of_objects else None
        self.selected = self.marks.selected = ()
        if of_objects:
            self._leave = labels.on_edit(lambda edit: self._panel.post(self._on_edit, edit))
            owner.view.set_layers([*owner.view.layers, self.marks])
            self._show()

    # ----------------------------------------------------------------------------------------------------- selecting

    def select(self, *ids: int) -> None:
        """Have these objects in the hand, and none other."""
        self.selected = self.marks.selected = tuple(ids)
        self._mark()

    def _pick_in_solid(self, name: str, number: int) -> None:
        """An object was clicked in three dimensions."""
        labels: Labels = self._owner.labels
        if name == labels.level.name and number in labels.counts():
            self._panel.in_thread(lambda: (number, labels.object_middle(number)), self._go_to)

    def toggle(self, point: tuple[int, int, int]) -> None:
        """Take the object at a voxel into the selection or out of it; where there is none, let all go."""
        owner: ObjectsOwner = self._owner
        number = owner.labels.object_at(point)
        if not number:
            self.select()
        elif number in self.selected:
            self.select(*(one for one in self.selected if one != number))
        else:
            self.select(*self.selected, number)

    def next(self) -> None:
        """Select the next object that is not locked, and show it."""
        owner: ObjectsOwner = self._owner
        labels, after, by = owner.labels, self.selected[-1] if self.selected else None, self._by
        self._panel.in_thread(partial(self._find_next, labels, after, by), self._go_to)

    def _find_next(self, labels: Labels, after: int | None, by: str) -> tuple[int, tuple[int, int, int]] | None:
        if by == "error":
            if not self._errors:
                self._errors = [int(one) for one in self._owner.ws.doubtful_objects(labels).index]
            locked = set(labels.locked_objects)
            there = labels.counts()
            start = self._errors.index(after) + 1 if after in self._errors else 0
            number = next((one for one in self._errors[start:] if one in there and one not in locked), None)
        else:
            number = labels.next_object(after, by=by)  # type: ignore[arg-type]
        return None if number is None else (number, labels.object_middle(number))

    def _go_to(self, found: tuple[int, tuple[int, int, int]] | None) -> None:
        if found is None:
            self.select()
            self._panel.say("That was the last object that is not locked.", "good")
            return
        self.select(found[0])
        self._owner.view.go_to(found[1], zoom_in=True)

    # ------------------------------------------------------------------------------------------------------- changing

    def cut(self, piece: StrokePiece) -> int:
        """Cut an object along a line that was drawn; the edit before it, for the cut is made beside the page."""
        owner: ObjectsOwner = self._owner
        if piece.last:
            self._panel.handler(lambda: owner.edit(cut_call(owner.labels, piece, self.selected)))()
        return owner.labels.sequence

    def seed(self, point: tuple[int, int, int]) -> None:
        """The first or the second of two places between which an object is cut."""
        owner: ObjectsOwner = self._owner
        number = owner.labels.object_at(point)
        first, self._seed = self._seed, None
        if not number:
            raise LabelError("there is no object here; click one part of an object, then the other")
        if first is None:
            self._seed = number, point
            self.select(number)
            plane = [at for axis, at in zip("zyx", point, strict=True) if axis != owner.view.axis]
            mark = VectorShape("points", [(plane[0], plane[1])], owner.view.axis, owner.view.index, words="1")
            owner.view.set_shapes([mark])
            self._panel.say("Click the other part of the object.", "quiet")
            return
        owner.view.set_shapes([])
        if first[0] != number:
            raise LabelError("the two places lie on different objects; click both on the one that is to be cut")
        owner.edit(Call("split", {"object_id": number, "seeds": [first[1], point]}))

    def merge(self) -> None:
        """Make one object of those that are selected."""
        if len(self.selected) < 2:
            raise LabelError("select two objects or more to merge: click them with the tool Pick objects (Q)")
        self._owner.edit(ids_call("merge", self.selected))

    def remove(self) -> None:
        """Make the selected objects unlabelled."""
        self._owner.edit(ids_call("remove", self._chosen()))

    def split_pieces(self) -> None:
        """Make objects of the pieces of the selected one that do not touch."""
        self._owner.edit(Call("split", {"object_id": self._chosen()[-1]}))

    def lock(self) -> None:
        """Mark the selected objects as right, or let them be changed again where all are locked."""
        locked = set(self._owner.labels.locked_objects)
        ids = self._chosen()
        unlock = all(one in locked for one in ids)
        self._owner.edit(ids_call(UNLOCK if unlock else LOCK, ids))

    def renumber(self) -> None:
        """Number all objects from 1."""
        self._owner.edit(Call("renumber"))

    def relabel(self) -> None:
        """Give the selected object the number that was typed."""
        chosen = self._chosen()
        if len(chosen) != 1:
            raise LabelError("select one object to give it another number; Merge makes one of several")
        self._owner.edit(Call("relabel", {"numbers": {chosen[0]: int(self._number.value)}}))

    def _chosen(self) -> tuple[int, ...]:
        if not self.selected:
            raise LabelError("no object is selected; click one with the tool Pick objects (Q)")
        return self.selected

    # ------------------------------------------------------------------------------------------------------- following

    @property
    def _by(self) -> str:
        return _ORDERS[str(self._order.value)] if self.fold.body.children else "size"

    def _on_click(self, message: dict[str, Any]) -> None:
        clicks = {"objects": self.toggle, "seeds": self.seed}
        if message["tool"] in clicks:
            self._panel.handler(lambda: clicks[message["tool"]](voxel_of(message)))()

    def _on_action(self, name: str, point: list[float]) -> None:
        actions: dict[str, Callable[[], object]] = {
            "object-merge": self.merge,
            "object-remove": self.remove,
            "object-lock": self.lock,
            "object-next": self.next,
        }
        if name in actions:
            self._panel.handler(actions[name])()

    def _on_edit(self, edit: Edit) -> None:
        """Objects may be gone, or locked."""
        labels: Labels = self._owner.labels
        if edit.tool in ("split", "merge", "remove", "undo", "redo", "relabel", "renumber"):
            there = labels.counts()
            self.selected = self.marks.selected = tuple(one for one in self.selected if one in there)
        self._mark()

    def _mark(self) -> None:
        self.marks.sequence += 1
        self._owner.view.refresh(self.marks.id)
        self.solid.select(self._owner.labels.level.name, self.selected)
        self._show()

    def _show(self) -> None:
        """Say what is selected; list objects where they are looked at."""
        if not self.fold.is_open or self.marks.labels is None:
            return
        labels = self.marks.labels
        totals, locked = labels.counts(), set(labels.locked_objects)
        words = f"{len(totals):,} objects"
        if locked:
            words += f", {len(locked):,} locked"
        if self.selected:
            named = ", ".join(map(str, self.selected[:4])) + ("…" if len(self.selected) > 4 else "")
            size = sum(totals.get(one, 0) for one in self.selected)
            words += f"; selected {named}: {size:,} voxels"
        self._words.value = words
        self._lock.description = "Unlock" if self.selected and set(self.selected) <= locked else "Lock"
        self._lock.icon = "unlock" if self._lock.description == "Unlock" else "lock"
        self.list.selected = str(self.selected[-1]) if self.selected else ""
        self._rows.ask(partial(self._read_rows, labels, totals, locked, self._by))

    def _read_rows(self, labels: Labels, totals: dict[int, int], locked: set[int], by: str) -> list[Row]:
        """The first objects in order, with pictures; off the UI thread."""
        if by == "error":
            order = self._errors or list(totals)
        else:
            order = sorted(totals, key={"size": lambda n: -totals[n], "smallest": lambda n: totals[n]}.get(by))
        image = self._owner.ws.images.open(labels.image)
        rows = []
        for number in [one for one in order if one in totals][:LISTED]:
            z, y, x = labels.object_middle(number)
            reach = max(_AROUND, round(totals[number] ** (1 / 3)))
            box = Box.at((z, y, x), (1, 1, 1)).grow((0, reach, reach)).clip(labels.shape)
            if totals[number] < _SMALL:  # all of it, in the middle of the picture
                around = labels.object_box(number)
                box = around.grow((0, 6, 6)).clip(labels.shape).cut("z", z, z + 1)
            mark = "locked" if number in locked else ""
            rows.append(Row(str(number), (thumbnail(image, box), str(number), f"{totals[number]:,}", mark)))
        return rows

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self._words = text("", "vx-dim")
        merge = button("Merge", handler(self.merge), tooltip="Make one object of those selected (Shift M)")
        apart = button("Pieces", handler(self.split_pieces), tooltip="Make objects of pieces that do not touch")
        remove = button("Remove", handler(self.remove), icon="trash", tooltip="Make them unlabelled (Delete)")
        self._lock = button("Lock", handler(self.lock), icon="lock", tooltip="Nothing overwrites it then (Shift L)")
        onward = button("Next", handler(self.next), icon="forward", tooltip="The next one not locked (Shift N)")
        anew = button("Renumber", handler(self.renumber), tooltip="Number all from 1; locked ones stay")
        self._number = w.BoundedIntText(
            value=1, min=1, max=2**31 - 1, **labelled("Number", "The selected object gets it, where it is free")
        )
        give = button("Give number", handler(self.relabel), tooltip="Another number for the selected object")
        self._order = w.Dropdown(options=list(_ORDERS), **labelled("Order", "In which Next and the list go"))
        self._order.observe(handler(self._show), "value")
        self.list = RowList(
            handler(lambda _, key: self._open(int(key))),
            head=("", "Object", "Voxels", ""),
            right=(1, 2),
            height=220,
            empty="No objects yet.",
        )
        return [
            self._words,
            row(merge, apart, remove),
            row(self._lock, onward, anew),
            self._number,
            row(give),
            self._order,
            self.list.widget,
        ]

    def _open(self, number: int) -> None:
        self._go_to((number, self._owner.labels.object_middle(number)))
