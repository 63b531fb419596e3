"""Which images are meant: one, several, or those of a folder that is added first. Opens no image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import PredictionError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, column, labelled, row, show, spacer, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.form.path_chooser import PathChooser

if TYPE_CHECKING:
    from voxloop.store.document import ImageInfo
    from voxloop.workspace.workspace import Workspace


class ImageChooser:
    """The image on show, a list to choose several from, and a fold that adds a folder of pictures.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose images are offered.
    shown
        Called when another image is on show.
    changed
        Called when others are meant.
    """

    def __init__(self, panel: Panel, ws: Workspace, shown: Callable[[], object], changed: Callable[[], object]) -> None:
        self._panel, self._ws, self._changed, self._quiet = panel, ws, changed, False
        names = list(ws.images.names)
        self.image = w.Dropdown(options=names, **labelled("Image", "The image on show"))
        self.image.observe(panel.handler(shown), "value")
        self.several = w.Checkbox(
            indent=False,
            **labelled(
                "Several images, in one run with a table",
                "One after the other; an image that fails does not keep the others",
            ),
        )
        self.several.observe(panel.handler(self._chosen), "value")
        self.which: Any = w.SelectMultiple(
            options=names,
            value=names,
            rows=4,
            layout={"width": "auto"},
            **labelled("Images", "Which are predicted; hold Ctrl or Shift to choose several"),
        )
        self.which.observe(panel.handler(self._chosen), "value")
        self.fold = Fold("Add a folder of pictures…", self._build, lambda _: self._opened())
        self.widget = column(self.image, self.several, self.which, self.fold.widget)
        self._show_parts()

    @property
    def names(self) -> list[str] | None:
        """Several that are meant; None where it is the one on show. Raises PredictionError where none is chosen."""
        if not self.several.value:
            return None
        if not self.which.value:
            raise PredictionError("choose one image at least, or untick several images")
        return list(self.which.value)

    @property
    def meant(self) -> str | list[str]:
        """What ``ws.predict`` takes: a name, several, or ``"*"`` for all."""
        names = self.names
        if names is None:
            return str(self.image.value)
        return "*" if names == list(self._ws.images.names) else names

    @property
    def code(self) -> str:
        """:attr:`meant` as Python; empty where there is only one image."""
        return "" if not self.several.value and len(self._ws.images.names) == 1 else repr(self.meant)

    @property
    def folder_code(self) -> str:
        """The line of Python that adds the folder."""
        folder = str(self.chooser.line.value).strip()
        return f"ws.images.add_folder({folder!r})" if folder else ""

    def refresh(self) -> None:
        """Look anew at the images of the workspace; what was chosen stays chosen, all of them included."""
        names, offered = tuple(self._ws.images.names), self.which.options
        if names == offered:
            return
        if self.which.value == offered:
            self._offer(names, names)
        else:
            self._offer(names, [name for name in self.which.value if name in names])

    def add_folder(self) -> None:
        """Make each picture of the folder an image, and mean those."""
        folder = self.chooser.path
        self.progress.value = "Opening the pictures …"
        self._add(folder)

    def _add_pictures(self, folder: Path) -> tuple[Path, list[ImageInfo]]:
        return folder, self._ws.images.add_folder(folder)

    def _added(self, added: tuple[Path, list[ImageInfo]]) -> None:
        self.progress.value = ""
        folder, images = added
        count = f"{len(images)} images" if len(images) > 1 else "1 image"
        self._panel.say(f"{count} added from {folder.name}, and chosen", "good")
        self.fold.close()
        self._offer(self._ws.images.names, [info.name for info in images])
        self.several.value = True
        self._chosen()

    def _refused(self, error: BaseException) -> None:
        self.progress.value = ""
        self._panel.show_error(error)

    def _offer(self, names: Any, chosen: Any) -> None:
        on_show, self._quiet = self.image.value, True
        self.which.options, self.which.value = tuple(names), tuple(chosen)
        self.image.options = tuple(names)
        self._quiet = False
        self.image.value = on_show if on_show in names else names[0]
        self._chosen()

    def _chosen(self) -> None:
        if not self._quiet:
            self._show_parts()
            self._changed()

    def _show_parts(self) -> None:
        more = len(self._ws.images.names) > 1
        show(self.image, more)
        show(self.several, more)
        show(self.which, bool(self.several.value))

    def _build(self) -> list[w.Widget]:
        self.chooser = PathChooser(self._panel, (), self._show_code, placeholder="path of a folder of pictures")
        self.button = button(
            "Add", self._panel.handler(self.add_folder), icon="plus", tooltip="Each picture becomes an image"
        )
        self._add = Attempt(self._panel, self._add_pictures, self._added, button=self.button, failed=self._refused)
        self.progress = text("", "vx-small", "vx-dim")
        self._copy = CopyCode()
        return [column(self.chooser.widget, row(self.button, self.progress, spacer(), self._copy))]

    def _opened(self) -> None:
        self.chooser.refresh()
        self._show_code()

    def _show_code(self) -> None:
        self._copy.code = self.folder_code
