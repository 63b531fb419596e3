"""Who signs what is painted, who did how much, and what one of them said as a layer. A fold of the label panel."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

import ipywidgets as w

from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, labelled, show, table, text
from voxloop.panels.base.work import Latest
from voxloop.panels.people.merge_box import MergeBox
from voxloop.panels.view.layers import ArrayLayer, class_dicts
from voxloop.store import author

if TYPE_CHECKING:
    from voxloop.panels.view.plane_view import PlaneView
    from voxloop.store import Labels
    from voxloop.workspace.workspace import Workspace

LAYER = "author"
_NOBODY = "nobody"


class PeopleOwner(Protocol):
    """The panel that shows the picture."""

    ws: Workspace
    view: PlaneView
    labels: Labels

    @property
    def image(self) -> str: ...
    def choose(self, image: str | None = None, level: str | None = None) -> None: ...
    def show_code(self, line: str) -> None: ...


class PeopleBox:
    """The fold, and the layers and keys that it adds to the panel."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self._owner: PeopleOwner = cast("Any", panel)
        self._who = _NOBODY
        self._leave: Callable[[], object] = lambda: None
        self.merge = MergeBox(panel)
        self.fold = Fold("People", self._build, lambda fold: self.show())
        self.widget = self.fold.widget
        panel.on_close(lambda: self._leave())

    def layers(self) -> list[ArrayLayer]:
        """What the author who was chosen said of the level and image on show, and where two copies differ."""
        return [*self._said(), *self.merge.layers()]

    def actions(self, step: Callable[[int], object]) -> dict[str, Callable[[], object]]:
        """What keys do; ``step`` walks through differences while no conflicts are looked at."""
        merge = self.merge
        return {
            "difference": lambda: merge.step(1) if merge.walking else step(1),
            "difference before": lambda: merge.step(-1) if merge.walking else step(-1),
            "conflict mine": lambda: merge.decide("mine"),
            "conflict theirs": lambda: merge.decide("theirs"),
        }

    def show(self) -> None:
        """Names and numbers as they are now."""
        if not self.fold.is_open:
            return
        names = [_NOBODY, *self._owner.labels.authors]
        if tuple(self._layer.options) != tuple(names):
            self._layer.options = names
            self._layer.value = self._who if self._who in names else _NOBODY
        self._name.value = author()
        image = self._owner.image
        self._counts.ask(lambda: self._owner.ws.authors(image=image))

    # ------------------------------------------------------------------------------------------------------- helpers

    def _said(self) -> list[ArrayLayer]:
        self._leave()
        labels = self._owner.labels
        if self._who == _NOBODY or self._who not in labels.authors:
            return []
        said = labels.by(self._who)
        layer = ArrayLayer(
            LAYER,
            f"by {self._who}",
            said,
            labels.level.classes,
            kind="instances" if labels.level.kind == "instances" else "labels",
            opacity=0.9,
        )
        layer.state["outline"] = True
        layer.state["classes"] = class_dicts(labels.level.classes)
        self._leave = labels.on_edit(lambda edit: self._panel.post(self._owner.view.refresh, LAYER))
        return [layer]

    def _choose(self) -> None:
        """Lay over the picture what somebody said."""
        chosen = str(self._layer.value or _NOBODY)
        if chosen == self._who:
            return
        self._who = chosen
        if chosen != _NOBODY:
            level = self._owner.labels.level.name
            self._owner.show_code(f"ws.labels({level!r}, {self._owner.image!r}).by({chosen!r})")
        self._owner.choose()

    def _sign(self) -> None:
        """Somebody else paints from here on."""
        given = str(self._name.value).strip()
        if given == author():
            return
        author(given or None)
        self._owner.show_code(f"vl.author({given or None!r})")
        self._panel.say(f"What is edited from here on is signed by {author()}.", "good")
        self._name.value = author()

    def _show_counts(self, found: Any) -> None:
        rows = [
            [html.escape(row.author), html.escape(row.level), f"{row.edits:,}", _much(row), _time(row.seconds)]
            for row in found.itertuples()
        ]
        self._table.value = (
            table(("Author", "Level", "Edits", "Voxels", "Time"), rows, right=(2, 3, 4))
            if rows
            else '<div class="vx-dim">Nobody has edited this image yet.</div>'
        )

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        about = "Who signs what is painted from here on: vl.author(name); empty: whoever the machine knows"
        self._name: Any = w.Text(value=author(), continuous_update=False, **labelled("You are", about))
        self._name.observe(handler(self._sign), "value")
        self._table = text("")
        about = "Outlines of what one author said, whoever painted over it since"
        self._layer: Any = w.Dropdown(options=[_NOBODY], **labelled("Show", about))
        self._layer.observe(handler(self._choose), "value")
        self._counts: Latest[Any] = Latest(self._panel, self._show_counts)
        show(self._table, True)
        return [self._name, self._table, self._layer, *self.merge.build()]


def _much(row: Any) -> str:
    return f"{row.voxels:,}" if row.voxels or not row.marks else f"{row.marks:,} marks"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
