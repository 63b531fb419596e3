"""A copy taken in: how far the two agree, a walk through the conflicts, what was decided of each, one button."""

from __future__ import annotations

import html
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.panel import Panel, button, classed, labelled, row, show, table, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.view.layers import ArrayLayer

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.review import Agreement
    from voxloop.workspace.merge import Applied, Merge
    from voxloop.workspace.workspace import Workspace

LAYER = "conflict"
#: told apart with any colour vision, and from the first classes of a level
_COLORS = ("#d81b60", "#1e88e5", "#ffc107")
_OTHER = "something else …"
_WORDS = ("only here", "only there", "another class")


class MergeOwner(Protocol):
    """The panel that shows the picture."""

    ws: Workspace
    view: PlaneView

    @property
    def image(self) -> str: ...
    @property
    def level(self) -> str: ...
    def choose(self, image: str | None = None, level: str | None = None) -> None: ...
    def show_code(self, line: str) -> None: ...


class MergeBox:
    """A path, what came out, and buttons to decide."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._owner: MergeOwner = cast("Any", panel)
        self._merge: Merge | None = None
        self._agreement: dict[tuple[str, str], Agreement] = {}
        self._at = -1
        panel.on_close(self._let_go)

    @property
    def walking(self) -> bool:
        """Whether there are conflicts to walk through."""
        return self._merge is not None and bool(self._merge.conflicts)

    def layers(self) -> list[ArrayLayer]:
        """Where both said something else, on the level and image on show."""
        found = self._agreement.get((self._owner.level, self._owner.image))
        if found is None or not self.walking:
            return []
        layer = ArrayLayer(LAYER, "conflict", found.array, opacity=0.6)
        layer.state["classes"] = [
            {"value": value, "name": name, "color": color, "visible": True}
            for value, (name, color) in enumerate(zip(_WORDS, _COLORS, strict=True), 1)
        ]
        return [layer]

    def step(self, by: int) -> None:
        """Go to the next conflict (-1: the one before), the largest first."""
        merge = self._opened()
        if not merge.conflicts:
            self._panel.say("There is no conflict.", "good")
            return
        many = len(merge.conflicts)
        self._at = (self._at + by) % many if self._at >= 0 else (0 if by > 0 else many - 1)
        here = merge.conflicts[self._at]
        painted = here.level in self._owner.ws.levels.painted
        level = here.level if painted else self._owner.level  # points and boxes have no picture of their own here
        if (level, here.image) != (self._owner.level, self._owner.image):
            self._owner.choose(image=here.image, level=level)
        self._owner.view.go_to(here.point, zoom_in=True)
        names = [one.name for one in self._owner.ws.levels[here.level].classes] if painted else ["both"]
        self._class.options = [_OTHER, *names]
        self._show_here()

    def decide(self, what: str) -> None:
        """Say what holds in the conflict on show, and go to the next one that is not decided."""
        merge = self._opened()
        if self._at < 0:
            self.step(1)
            return
        merge.decide(self._at, what)
        self._owner.show_code(f"merge.decide({self._at}, {what!r})")
        left = [at for at, one in enumerate(merge.conflicts) if one.decision is None]
        if left:
            self._at = next((at for at in left if at > self._at), left[0]) - 1
            self.step(1) if self._at >= 0 else self._to_first()
        else:
            self._show_here()
            self._panel.say("All conflicts are decided; Take in makes it so.", "good")
        self._show_state()

    def look(self) -> None:
        """Open the copy, and say how far the two agree."""
        path = str(self._path.value).strip()
        if not path:
            raise LabelError("write the path of the copy: the folder of the other workspace")
        classes = _classes(str(self._map.value))
        more = f", classes={classes!r}" if classes else ""
        self._owner.show_code(f"merge = ws.merge({path!r}{more})")
        self._panel.say("Comparing …")
        self._attempt(path, classes)

    def apply(self) -> None:
        """Take the copy in."""
        merge, rest = self._opened(), str(self._rest.value)
        chosen = None if rest == "ask" else rest
        self._owner.show_code(f"merge.apply({'' if chosen is None else f'rest={chosen!r}'})")
        self._applying(merge, chosen)

    def undo(self) -> None:
        """Take back what was taken in."""
        merge = self._opened()
        self._owner.show_code("merge.undo()")
        many = merge.undo()
        self._panel.say("Taken back." if many else "Nothing to take back: labels were edited since.", "good")
        self._show_all()

    def build(self) -> list[w.Widget]:
        """The widgets."""
        handler = self._panel.handler
        about = "Folder of a copy of this workspace that somebody else labelled; it is only read"
        self._path: Any = classed(w.Text(placeholder="folder", **labelled("Copy", about)), "vx-grow")
        about = "Classes of the copy and what they are here, where names differ: mito=mitochondria"
        self._map: Any = classed(w.Text(placeholder="by name", **labelled("Classes", about)), "vx-grow")
        go = button("Look at the copy", handler(self.look), tooltip="How far the two agree, and where they do not")
        self._attempt = Attempt(self._panel, self._open, self._take, button=go)
        self._said = text("")
        self._conflict = text("", "vx-small")
        back = button("", handler(partial(self.step, -1)), icon="arrow-left", tooltip="Conflict before (Shift E)")
        on = button("", handler(partial(self.step, 1)), icon="arrow-right", tooltip="Next conflict (Shift D)")
        mine = button("Mine", handler(partial(self.decide, "mine")), tooltip="What is here holds (Shift A)")
        theirs = button("Theirs", handler(partial(self.decide, "theirs")), tooltip="What the copy says holds (Shift T)")
        none = button("Neither", handler(partial(self.decide, "unlabelled")), tooltip="Unlabelled")
        self._class: Any = classed(w.Dropdown(options=[_OTHER], tooltip="Another class"), "vx-grow")
        self._class.observe(handler(self._decide_class), "value")
        about = "What holds in conflicts of which nothing was decided"
        self._rest: Any = w.Dropdown(options=["ask", "mine", "theirs", "unlabelled"], **labelled("Others", about))
        take = button("Take in", handler(self.apply), kind="primary", tooltip="Take the copy in, as it was decided")
        self._applying = Attempt(self._panel, lambda merge, rest: merge.apply(rest), self._applied, button=take)
        undo = button("Take back", handler(self.undo), tooltip="What was taken in, where nothing was edited since")
        self._walk = [self._conflict, row(back, on, mine, theirs, none), self._class, self._rest]
        self._last = row(take, undo)
        for part in (*self._walk, self._last):
            show(part, False)
        return [self._path, self._map, row(go), self._said, *self._walk, self._last]

    # ------------------------------------------------------------------------------------------------------- helpers

    def _opened(self) -> Merge:
        if self._merge is None:
            raise LabelError("look at a copy first, under People")
        return self._merge

    def _open(self, path: str, classes: dict[str, str | None] | None) -> tuple[Merge, dict[tuple[str, str], Agreement]]:
        merge = self._owner.ws.merge(path, classes=classes)
        return merge, merge.agreement

    def _take(self, answer: tuple[Merge, dict[tuple[str, str], Agreement]]) -> None:
        self._let_go()
        self._merge, self._agreement = answer
        self._show_all()
        self._panel.say(f"{self._merge.words.splitlines()[0]}.", "good")

    def _applied(self, done: Applied) -> None:
        self._panel.say(f"{done.words[:1].upper()}{done.words[1:]}.", "good")
        self._show_all()

    def _show_all(self) -> None:
        self._at = -1
        self._show_state()
        self._conflict.value = ""
        self._owner.choose()

    def _show_state(self) -> None:
        merge = self._opened()
        lines = "<br>".join(map(html.escape, merge.words.splitlines()))
        rows = [
            [html.escape(name), _share(one.dice[name]), _share(one.iou[name])]
            for one in self._agreement.values()
            for name in one.classes
            if one.dice[name] == one.dice[name]
        ]
        facts = [
            f"{one.accuracy:.1%} of {one.voxels:,} voxels alike, kappa {_share(one.kappa)}."
            for one in self._agreement.values()
            if one.voxels
        ]
        markup = table(("Class", "Dice", "IoU"), rows, right=(1, 2)) if rows else ""
        self._said.value = f"{lines}{markup}<div class='vx-dim'>{html.escape(' '.join(facts))}</div>"
        for part in self._walk:
            show(part, bool(merge.conflicts))
        show(self._last, True)

    def _show_here(self) -> None:
        merge = self._opened()
        here = merge.conflicts[self._at]
        said = "not decided" if here.decision is None else f"decided: {self._named(here.level, here.decision)}"
        self._panel.say("", "quiet")
        self._conflict.value = html.escape(
            f"Conflict {self._at + 1} of {len(merge.conflicts)}, {here.size}: {here.authors[0] or 'here'} says "
            f"{here.mine}, {here.authors[1] or 'there'} says {here.theirs}; {said}."
        )

    def _named(self, level: str, decision: str | int) -> str:
        if isinstance(decision, str):
            return decision
        classes = self._owner.ws.levels[level].classes
        return next((one.name for one in classes if one.value == decision), str(decision))

    def _to_first(self) -> None:
        self._at = -1
        self.step(1)

    def _decide_class(self) -> None:
        chosen = str(self._class.value or _OTHER)
        if chosen != _OTHER:
            self._class.value = _OTHER
            self.decide(chosen)

    def _let_go(self) -> None:
        if self._merge is not None:
            self._merge.close()
            self._merge = None


def _classes(words: str) -> dict[str, str | None] | None:
    """``mito=mitochondria`` as a dict. Raises LabelError."""
    found: dict[str, str | None] = {}
    for part in filter(None, (one.strip() for one in words.split(","))):
        theirs, equals, ours = (one.strip() for one in part.partition("="))
        if not (equals and theirs and ours):
            raise LabelError(
                f"Classes: {part[:40]!r} is not of the form mito=mitochondria; set a comma between several"
            )
        found[theirs] = ours
    return found or None


def _share(value: float) -> str:
    return f"{value:.3f}" if value == value else "–"
