"""Where an opened volume goes: a new workspace with its folder and classes, or the one there is. Makes neither."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import WorkspaceError
from voxloop.panels.base.beside import FieldFault, name_fault, new_folder_fault
from voxloop.panels.base.panel import CopyCode, Panel, button, column, labelled, row, show, spacer, text
from voxloop.panels.volume.known import free_folder
from voxloop.panels.volume.opened import OpenedVolume

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace


class Target:
    """Fields for names, folder and classes, the button that does it, and the line of Python it runs.

    Parameters
    ----------
    add
        What the button does.
    """

    def __init__(self, panel: Panel, add: Callable[[], object]) -> None:
        self._opened: OpenedVolume | None = None
        self._ws: Workspace | None = None
        self._name = w.Text(continuous_update=False, **labelled("Image name", "What the workspace calls it"))
        about_folder = "Where the workspace keeps labels, models and predictions"
        self._folder = w.Text(continuous_update=False, **labelled("Folder", about_folder))
        about_classes = "The classes to tell apart, separated by commas"
        self._classes = w.Text(continuous_update=False, **labelled("Classes", about_classes))
        about_copy = "A chunked copy is read faster, and goes along when the workspace is moved"
        self._copied = w.Checkbox(description="Copy the image into the workspace", indent=False, tooltip=about_copy)
        about_times = "Each time point becomes an image with labels of its own; panels step through them"
        self._times = w.Checkbox(value=True, description="All time points", indent=False, tooltip=about_times)
        for box in (self._name, self._folder, self._classes, self._copied, self._times):
            box.observe(panel.handler(self._show_code), "value")
        self._anew = False
        self._words = text("", "vx-dim")
        self.button = button("", panel.handler(add), kind="primary")
        about_another = "Make a new workspace with this image, beside the one that is open"
        self._another = button(
            "In a new workspace instead", panel.handler(self._toggle), kind="link", tooltip=about_another
        )
        self._copy = CopyCode()
        self._name_line = FieldFault(panel, self._name, self._name_fault)
        self._folder_line = FieldFault(panel, self._folder, new_folder_fault)
        #: the button and what it will do; stands where it is always in sight
        self.bar = row(self.button, self._another, self._words, spacer(), self._copy)
        self.widget = column(
            self._name,
            self._name_line.widget,
            self._folder,
            self._folder_line.widget,
            self._classes,
            self._copied,
            self._times,
            classes=["vx-plain"],
        )

    @property
    def name(self) -> str:
        """What the image will be called."""
        return str(self._name.value).strip()

    @property
    def copy(self) -> bool:
        """Whether a picture that lies in a file is copied too; what lies in none always is."""
        return bool(self._copied.value)

    @property
    def times(self) -> bool:
        """Whether all time points of a series of volumes are added."""
        return bool(self._times.value) and self._opened is not None and "timepoints" in self._opened.volume.attrs

    def arguments(self) -> dict[str, Any]:
        """With what the image is added."""
        opened = self._opened.arguments if self._opened is not None else {}
        how = {name: value for name, value in opened.items() if not (self.times and name == "timepoint")}
        return {**how, **({"copy": True} if self.copy else {})}

    @property
    def folder(self) -> str:
        """Where a new workspace is made. Raises WorkspaceError where it is left open."""
        folder = str(self._folder.value).strip()
        if not folder:
            raise WorkspaceError("say in which folder the workspace is made")
        return folder

    @property
    def classes(self) -> list[dict[str, Any]]:
        """The classes of a new workspace; those of a sample keep their colours where their names stay."""
        of_sample = {item["name"]: item for item in (self._opened.classes if self._opened else ())}
        names = [name.strip() for name in str(self._classes.value).split(",") if name.strip()]
        if names == list(of_sample):
            return list(of_sample.values())
        return [{"name": name} for name in names]

    @property
    def code(self) -> str:
        """The line of Python that the button runs; empty where nothing is opened."""
        opened = self._opened
        if opened is None:
            return ""
        if opened.source.kind == "image":
            return f"ws.set_voxel_size({opened.source.text!r}, {opened.arguments.get('spacing')!r})"
        how = "".join(f", {name}={value!r}" for name, value in self.arguments().items())
        if self.ws is not None:
            return f"ws.images.{'add_times' if self.times else 'add'}({self.name!r}, {opened.image_code}{how})"
        how = f", times=True{how}" if self.times else how
        names = [item["name"] for item in self.classes]
        return (
            f"ws = vl.Workspace.create({str(self._folder.value).strip()!r}, image={opened.image_code}, "
            f"image_name={self.name!r}, classes={names!r}{how})"
        )

    @property
    def ws(self) -> Workspace | None:
        """The workspace that the image is added to; None: a new one is made."""
        return None if self._anew else self._ws

    def suggest(self, opened: OpenedVolume) -> None:
        """Fill the fields in for a source that was not shown before."""
        self._opened, self._anew = opened, False
        self._name.value = opened.name
        self._folder.value = str(free_folder(opened.name, Path.cwd()))
        self._classes.value = ", ".join(item["name"] for item in opened.classes) or "background, object"

    def show(self, opened: OpenedVolume | None, ws: Workspace | None) -> None:
        """Offer to put this volume into that workspace; None: into a new one."""
        self._opened, self._ws = opened, ws
        self._show_fields()

    def _toggle(self) -> None:
        self._anew = not self._anew
        self._show_fields()

    def _name_fault(self, name: str) -> str:
        if not name:
            return "Say what the image is called in the workspace."
        return name_fault(name, self.ws.images.names, "image") if self.ws is not None else ""

    def _show_fields(self) -> None:
        opened, new = self._opened, self.ws is None
        known = opened is not None and opened.source.kind == "image"
        self.button.description = "Create workspace" if new else "Add to workspace"
        if known:
            self.button.description = "Change voxel size"
        self._another.description = "In this workspace instead" if self._anew else "In a new workspace instead"
        show(self._another, self._ws is not None and opened is not None and not known)
        show(self._name, not known)
        show(self._times, opened is not None and not known and "timepoints" in opened.volume.attrs)
        show(self._copied, opened is not None and opened.source.kind == "path")
        show(self._folder, new and not known)
        show(self._classes, new and not known)
        for line, wanted in ((self._name_line, not known), (self._folder_line, new and not known)):
            if wanted and opened is not None:
                line.look()
            else:
                line.hush()
        self._show_code()

    def _show_code(self) -> None:
        self._copy.code = self.code
        if self._opened is None or self._opened.source.kind == "image":
            self._words.value = ""
        elif self.ws is not None:
            self._words.value = html.escape(f"{self.name}, to {self.ws.name}")
        else:
            names = ", ".join(item["name"] for item in self.classes)
            self._words.value = html.escape(f"{Path(str(self._folder.value)).name}, to paint {names}")
