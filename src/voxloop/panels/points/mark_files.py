"""Files of other programs, in and out, from the panel of points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import button, classed, labelled, row, text
from voxloop.panels.space.clip_box import ClipBox

if TYPE_CHECKING:
    from voxloop.panels.points.points_panel import PointsPanel


class MarkFiles:
    """A fold with a path, and what to do about nodes that the level lacks; another one for films."""

    def __init__(self, owner: PointsPanel) -> None:
        self._owner = owner
        self.fold = Fold("Files", self._build, lambda fold: None)
        self.clip = ClipBox(
            owner,
            owner.ws,
            lambda: owner.view,
            lambda: owner.image,
            lambda: [owner.level] if owner.level else [],
            lambda: owner.looks.of_a_film,
        )
        self.widget = w.VBox([self.fold.widget, self.clip.widget])

    def load(self) -> None:
        """Bring in the file that was typed."""
        path, owner = self._path(), self._owner
        how: dict[str, Any] = {"nodes": "add"} if self._add.value else {}
        marks = owner.marks

        def done(loading: Any) -> None:
            owner.note(f"load({path!r}{''.join(f', {key}={value!r}' for key, value in how.items())})")
            owner.say(f"Loaded {loading}.", "good")
            owner.show()

        owner.say(f"Loading {path}...", "quiet")
        owner.in_thread(lambda: marks.load(path, **how), done)

    def save(self) -> None:
        """Write the file that was typed."""
        path, owner = self._path(), self._owner
        marks = owner.marks

        def done(there: Any) -> None:
            owner.note(f"save({path!r})")
            owner.say(f"Written: {there}", "good")

        owner.in_thread(lambda: marks.save(path), done)

    def _path(self) -> str:
        path = self.path.value.strip()
        if not path:
            raise LabelError("type the path of a file first: .slp, .h5, .nwb, .json or .csv")
        return str(path)

    def _build(self) -> list[w.Widget]:
        handler = self._owner.handler
        about = ".slp, .pkg.slp, .h5, .nwb, .json (COCO, Label Studio), .csv (also DeepLabCut)"
        self.path = classed(w.Text(placeholder="labels.slp", **labelled("File", about)), "vx-grow")
        self._add = w.Checkbox(value=False, indent=False, description="add nodes that the level lacks")
        return [
            self.path,
            self._add,
            row(
                button("Load", handler(self.load), tooltip="Bring in points of this file, as one edit"),
                button("Save", handler(self.save), tooltip="Write all points to this file"),
            ),
            text(about, "vx-dim", "vx-small"),
        ]
