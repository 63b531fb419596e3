"""The skeleton of a level: nodes, edges and mirrored pairs, changed by hand. What was labelled stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, classed, labelled, row, text
from voxloop.store import Skeleton

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class SkeletonEditor:
    """A fold with one form; ``changed`` is called after a change, ``tell_code`` with its line of Python."""

    def __init__(
        self, owner: Panel, ws: Workspace, changed: Callable[[], object], tell_code: Callable[[str], object]
    ) -> None:
        self._owner, self._ws, self._changed, self._tell = owner, ws, changed, tell_code
        self._level = ""
        self.fold = Fold("Skeleton", self._build, lambda fold: self._offer())
        self.widget = self.fold.widget

    def show(self, level: str) -> None:
        """Offer what this level has."""
        self._level = level
        if hasattr(self, "node"):
            self._offer()

    def add(self) -> None:
        """Add a node, joined to the chosen one."""
        name = self.name.value.strip()
        if not name:
            raise LabelError("type the name of the new node first")
        joined = self.node.value if self._joined.value else None
        self._ws.levels.add_node(self._level, name, joined)
        self.name.value = ""
        more = "" if joined is None else f", {joined!r}"
        self._done(f"ws.levels.add_node({self._level!r}, {name!r}{more})")

    def rename(self) -> None:
        """Give the chosen node the name that was typed; its points stay."""
        node, name = self.node.value, self.name.value.strip()
        if not name:
            raise LabelError("type the new name first")
        self._ws.levels.rename_node(self._level, node, name)
        self.name.value = ""
        self._done(f"ws.levels.rename_node({self._level!r}, {node!r}, {name!r})")

    def remove(self) -> None:
        """Take the chosen node out."""
        node = self.node.value
        self._ws.levels.remove_node(self._level, node)
        self._done(f"ws.levels.remove_node({self._level!r}, {node!r})")
        self._owner.say(f"{node!r} is out; its points are kept, and adding {node!r} again brings them back.", "good")

    def join(self) -> None:
        """Draw a line between two nodes, or take it away where there is one."""
        self._toggle("edges")

    def mirror(self) -> None:
        """Say that two nodes change places in a mirror, or that they do not."""
        self._toggle("symmetric")

    def _toggle(self, what: str) -> None:
        old = self._skeleton
        pair = self.node.value, self.other.value
        pairs = [one for one in getattr(old, what) if set(one) != set(pair)]
        if len(pairs) == len(getattr(old, what)):
            pairs.append(pair)
        parts = {"edges": old.edges, "symmetric": old.symmetric, what: pairs}
        new = Skeleton(old.nodes, **parts)
        self._ws.levels.set_skeleton(self._level, new)
        shown = f"{list(new.nodes)}, {list(new.edges)}, {list(new.symmetric)}"
        self._done(f"ws.levels.set_skeleton({self._level!r}, vl.Skeleton({shown}))")

    @property
    def _skeleton(self) -> Skeleton:
        skeleton = self._ws.levels[self._level].skeleton
        assert skeleton is not None
        return skeleton

    def _done(self, code: str) -> None:
        self._tell(code)
        self._offer()
        self._changed()

    def _offer(self) -> None:
        skeleton = self._ws.levels[self._level].skeleton if self._level else None
        if skeleton is None:
            return
        for choice in (self.node, self.other):
            kept = choice.value
            choice.options = list(skeleton.nodes)
            choice.value = kept if kept in skeleton.nodes else skeleton.nodes[-1 if choice is self.other else 0]
        edges = ", ".join(f"{a} - {b}" for a, b in skeleton.edges) or "none"
        pairs = ", ".join(f"{a} | {b}" for a, b in skeleton.symmetric)
        self.words.value = f"Lines: {edges}" + (f"<br>Mirrored: {pairs}" if pairs else "")

    def _build(self) -> list[w.Widget]:
        handler = self._owner.handler
        self.node = classed(w.Dropdown(**labelled("Node", "The node to change")), "vx-grow")
        self.other = classed(w.Dropdown(**labelled("and", "The other end of a line or of a mirrored pair")), "vx-grow")
        self.name = classed(w.Text(placeholder="name of a node"), "vx-grow")
        self._joined = w.Checkbox(value=True, indent=False, description="joined to the node above")
        self.words = text("", "vx-dim", "vx-small")
        return [
            row(
                self.node, button("Remove node", handler(self.remove), tooltip="Take the node out; its points are kept")
            ),
            row(
                self.name,
                button("Add node", handler(self.add), tooltip="Add a node of this name"),
                button("Rename", handler(self.rename), tooltip="Give the node above this name"),
            ),
            self._joined,
            row(
                self.other,
                button("Line", handler(self.join), tooltip="A line between the two nodes, or none"),
                button("Mirror", handler(self.mirror), tooltip="The two change places in a mirror, or not"),
            ),
            self.words,
        ]
