"""A folder of pictures, and their masks, into the workspace in one step. Finds no pairs itself: the workspace does."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import LabelError
from voxloop.panels.base.beside import FieldFault, path_fault
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import Panel, button, column, labelled, row, text
from voxloop.panels.base.work import Attempt, Debounce
from voxloop.panels.pictures.picture_steps import PictureStep
from voxloop.store.pairs import found_pairs

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


#: images that are named in the code; of more, the first
_NAMED = 12
_Add = Callable[[], tuple[list[str], str]]


@dataclass(frozen=True, slots=True)
class _Came:
    """What came in: names of images, in words, how to do it again, and edits by image at that time."""

    names: list[str]
    words: str
    add: _Add
    code: str
    edits: dict[str, int]
    again: bool


class FolderBox:
    """``added(words)`` is called when pictures came in, ``note(step)`` with how to take all of them back."""

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        added: Callable[[str], object],
        tell_code: Callable[[str], object],
        note: Callable[[PictureStep], object],
    ) -> None:
        self._panel, self._ws, self._added, self._tell_code, self._note = panel, ws, added, tell_code, note
        self._came: dict[_Add, _Came] = {}  # what came in, by how it did
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
        self._work: Attempt[_Came] = Attempt(self._panel, self._do, self._done, button=self._pairs)
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

        def add() -> tuple[list[str], str]:
            table = self._ws.add_pairs(images, masks, **given)
            return list(table["image"].dropna()), f"{table['mask'].count():,} pictures with masks"

        self._work(add, code)

    def add_pictures(self) -> None:
        """Add every picture, without masks."""
        images = self._images

        def add() -> tuple[list[str], str]:
            names = [info.name for info in self._ws.images.add_folder(images)]
            return names, f"{len(names):,} pictures"

        self._work(add, f"ws.images.add_folder({images!r})")

    def _do(self, add: _Add, code: str, again: bool = False) -> _Came:
        names, words = add()
        return _Came(names, words, add, code, {name: self._edits_of(name) for name in names}, again)

    def _done(self, came: _Came) -> None:
        self._came[came.add] = came
        self._tell_code(came.code)
        self._added(f"Added {came.words}.")
        if not came.again:
            names = repr(came.names) if len(came.names) <= _NAMED else f"[{came.names[0]!r}, ...]"
            back = f"ws.images.remove({names})"
            forth = partial(self._work, came.add, came.code, True)
            self._note(PictureStep(partial(self._take_back, came.add), forth, back, came.code))

    def _take_back(self, add: _Add) -> None:
        """Remove what came in, all of it. Raises LabelError where somebody labelled on it since."""
        came = self._came[add]
        names = [name for name in came.names if name in self._ws.images]
        painted = next((name for name in names if self._edits_of(name) != came.edits[name]), None)
        if painted is not None:
            raise LabelError(
                f"{painted!r} was labelled on since it came in, so the folder stays; ws.images.remove({painted!r}) "
                "removes an image with its labels"
            )
        self._ws.images.remove(names)

    def _edits_of(self, image: str) -> int:
        """How many edits there are on an image, on all levels."""
        levels = self._ws.levels
        painted = sum(self._ws.labels(level, image).sequence for level in levels.painted)
        others = [name for name in levels.names if name not in levels.painted]
        return painted + sum(self._ws.store.marks(None, level, image).sequence for level in others)
