"""What is done with the chosen items: each is one line of Python, and one step back. Knows the panel's workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError
from voxloop.panels.pictures.picture_steps import PictureStep, PictureSteps

if TYPE_CHECKING:
    from voxloop.panels.pictures.pictures_panel import PicturesPanel

#: items that are named in the code; of more, their places
_NAMED = 12


class ItemEdits:
    """Changes what is said of items, their classes and their sets."""

    def __init__(self, owner: PicturesPanel) -> None:
        self._owner = owner
        self.steps = PictureSteps()

    @property
    def _catalogue(self) -> str:
        return f"ws.catalogue({self._owner.catalogue.name!r})"

    def say(self, **fields: str) -> None:
        """Say something of the chosen items."""
        owner, names = self._owner, self._names()
        catalogue = owner.catalogue
        changed = catalogue.set(names, **fields)
        told = ", ".join(f"{key}={value!r}" for key, value in fields.items())
        owner.tell_code(self._code(f"set({{}}, {told})"))
        if changed:
            self._note(catalogue.undo, catalogue.redo)
        self._after(names, goes_on="status" in fields or "quality" in fields)

    def assign(self, label: str | None) -> None:
        """Give the chosen items a class, or take it away."""
        owner, names = self._owner, self._names()
        catalogue, level = owner.catalogue, catalogue_level(owner)
        tiles = catalogue.items.kind == "tiles"
        images = [] if tiles else sorted({catalogue.place(name)[0] for name in names})
        marks = [owner.ws.pictures(level, image) for image in images]
        before = [one.sequence for one in marks]
        changed = catalogue.assign(names, label, level)
        owner.tell_code(self._code(f"assign({{}}, {label!r})"))
        if changed and tiles:
            self._note(catalogue.undo, catalogue.redo)
        elif changed:
            moved = [one for one, sequence in zip(marks, before, strict=True) if one.sequence != sequence]
            self._note(lambda: [one.undo() for one in moved], lambda: [one.redo() for one in moved])
        self._after(names, goes_on=label is not None)
        owner.look()

    def put(self, into: str | None, out_of: str | None) -> None:
        """Put the chosen items into a training set, or take them out of both; a new version of each."""
        owner, names = self._owner, self._names()
        ws, catalogue = owner.ws, owner.catalogue
        both = owner.teaching.names
        before = {name: ws.sets[name].rows if name in ws.sets else None for name in both}
        if into is not None:
            catalogue.add_to_set(into, names, owner.level, out_of=out_of)
            owner.tell_code(self._code(f"add_to_set({into!r}, {{}}, {owner.level!r}, out_of={out_of!r})"))
        else:
            held = [name for name in both if name in ws.sets]
            for name in held:
                catalogue.take_out_of_set(name, names)
            owner.tell_code("\n".join(self._code(f"take_out_of_set({name!r}, {{}})") for name in held))
        after = {name: ws.sets[name].rows if name in ws.sets else None for name in both}
        if after != before:
            self._note(lambda: _restore(ws, before), lambda: _restore(ws, after))
        where = f"to {into!r}" if into is not None else f"to neither {both[0]!r} nor {both[1]!r}"
        owner.say(f"{len(names):,} item{'s' if len(names) != 1 else ''} {where}", "good")
        owner.teaching.offer()
        owner.look()

    def loaded(self, path: str) -> None:
        """A table was read."""
        owner = self._owner
        catalogue = owner.catalogue
        owner.tell_code(f"{self._catalogue}.load({path!r})")
        self._note(catalogue.undo, catalogue.redo)
        owner.refresh()

    def undo(self) -> None:
        """Take back what was done last; before that, what this catalogue knows from earlier."""
        step = self.steps.undo()
        if step is not None:
            self._went(step.code_back)
        elif self._owner.catalogue.undo():
            self._went(f"{self._catalogue}.undo()")
        else:
            self._owner.say("There is nothing to undo.", "quiet")

    def redo(self) -> None:
        """Make what was taken back again."""
        step = self.steps.redo()
        if step is not None:
            self._went(step.code_forth)
        elif self._owner.catalogue.redo():
            self._went(f"{self._catalogue}.redo()")
        else:
            self._owner.say("There is nothing to redo.", "quiet")

    # ------------------------------------------------------------------------------------------------------ helpers

    def _went(self, code: str) -> None:
        self._owner.tell_code(code)
        self._owner.refresh()

    def _names(self) -> list[str]:
        names = self._owner.chosen
        if not names:
            raise LabelError("choose an item first: a click, or the arrow keys")
        return names

    def _after(self, names: list[str], *, goes_on: bool) -> None:
        """Show what came of it; go on to the next item where one was dealt with."""
        owner = self._owner
        order = owner.grid.order.tolist()
        only = owner.grid.current if len(names) == 1 else None
        owner.show()
        stays = only is not None and owner.grid.order.tolist() == order
        if goes_on and stays and owner.say_box.next_after.value:
            owner.grid.step(1)

    def _note(self, back: Callable[[], Any], forth: Callable[[], Any]) -> None:
        self.steps.note(PictureStep(back, forth, f"{self._catalogue}.undo()", self._owner.code.code))

    def _code(self, call: str) -> str:
        """The call with the chosen items in it."""
        owner = self._owner
        chosen, total = owner.grid.chosen, len(owner.catalogue)
        if len(chosen) == total:
            items = "'*'"
        elif len(chosen) <= _NAMED:
            items = repr(owner.chosen)
        else:
            items = _spans("names", sorted(chosen))
            return f"names = {self._catalogue}.names\n{self._catalogue}.{call.format(items)}"
        return f"{self._catalogue}.{call.format(items)}"


def catalogue_level(owner: PicturesPanel) -> str:
    """The level of classes that keys give. Raises LabelError where there is none."""
    return owner.catalogue.class_level(owner.kinds)


def _spans(name: str, places: list[int]) -> str:
    """Places in a list as slices of it."""
    out: list[list[int]] = []
    for place in places:
        if out and out[-1][1] == place:
            out[-1][1] += 1
        else:
            out.append([place, place + 1])
    return " + ".join(f"{name}[{first}:{stop}]" for first, stop in out)


def _restore(ws: Any, rows: dict[str, Any]) -> None:
    """Give sets the rows that they had."""
    for name, own in rows.items():
        if own is None and name in ws.sets:
            ws.sets.remove(name)
        elif own is not None and name not in ws.sets:
            ws.sets.add(name, own)
        elif own is not None:
            ws.sets.edit(name, own)
