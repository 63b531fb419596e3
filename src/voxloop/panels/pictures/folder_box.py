"""A folder of pictures, and their masks, into the workspace in one step. Finds no pairs itself: the workspace does."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.beside import FieldFault, path_fault
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, column, labelled, row, text
from voxloop.panels.base.work import Attempt, Debounce
from voxloop.workspace.pairs import found_pairs

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class FolderBox:
    """``added(words)`` is called when pictures came in."""

    def __init__(
        self, panel: Panel, ws: Workspace, added: Callable[[str], object], tell_code: Callable[[str], object]
    ) -> None:
        self._panel, self._ws, self._added, self._tell_code = panel, ws, added, tell_code
        self.fold = Fold("Add a folder of pictures", self._build, lambda fold: self._offer())

    def _build(self) -> list[w.Widget]:
        on = self._panel.handler
        self.images = w.Text(continuous_update=False, **labelled("Pictures", "Folder of the pictures"))
        about = "Folder of their masks; empty: beside the pictures, called a_mask.tif, a_seg.png, a.labels.tif or so"
        self.masks = w.Text(continuous_update=False, **labelled("Masks", about))
        self.level = w.Dropdown(**labelled("Into level", "The level that the masks are loaded into"))
        self.zero = w.Dropdown(
            options=[("choose ...", ""), ("background", "background"), ("not labelled", "unlabelled")],
            **labelled("0 means", "What 0 means in the masks"),
        )
        faults = [FieldFault(self._panel, one, path_fault) for one in (self.images, self.masks)]
        self.words = text("", "vx-dim", "vx-small")
        self._look: Attempt[str] = Attempt(self._panel, self._found, self._told)
        rest = Debounce(self._panel, lambda: self._look(self._images, self._masks), seconds=0.2)
        for one in (self.images, self.masks):
            one.observe(on(rest.ask), "value")
        self._pairs = button("Add pictures and masks", on(self.add_pairs), kind="primary", tooltip="All pairs, or none")
        self._alone = button("Add pictures only", on(self.add_pictures), tooltip="Every picture becomes an image")
        self._work: Attempt[str] = Attempt(self._panel, self._do, self._done, button=self._pairs)
        fields = (self.images, faults[0].widget, self.masks, faults[1].widget, self.words, self.level, self.zero)
        return [column(*fields, row(self._pairs, self._alone))]

    @property
    def _images(self) -> str:
        return str(self.images.value).strip()

    @property
    def _masks(self) -> str | None:
        return str(self.masks.value).strip() or None

    def _offer(self) -> None:
        names = self._ws.levels.painted
        if list(self.level.options) != names:
            self.level.options = names

    def _found(self, images: str, masks: str | None) -> str:
        return found_pairs(images, masks) if images else ""

    def _told(self, words: str) -> None:
        self.words.value = html.escape(words)

    def add_pairs(self) -> None:
        """Add every picture that has a mask, and its mask as labels."""
        if not self.zero.value:
            raise LabelError("say what 0 means in the masks: background, or not labelled")
        given: dict[str, Any] = {"level": self.level.value, "zero": self.zero.value}
        code = f"ws.add_pairs({self._images!r}, {self._masks!r}, level={self.level.value!r}, zero={self.zero.value!r})"
        images, masks = self._images, self._masks
        self._work(lambda: f"{self._ws.add_pairs(images, masks, **given)['mask'].count():,} pictures with masks", code)

    def add_pictures(self) -> None:
        """Add every picture, without masks."""
        images = self._images
        self._work(lambda: f"{len(self._ws.images.add_folder(images)):,} pictures", f"ws.images.add_folder({images!r})")

    def _do(self, add: Callable[[], str], code: str) -> str:
        words = add()
        self._code = code
        return words

    def _done(self, words: str) -> None:
        self._tell_code(self._code)
        self._added(f"Added {words}.")
