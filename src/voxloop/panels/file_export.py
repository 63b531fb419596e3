"""What was made, saved as a file for other programs: what of it, where, and whether to replace. Calls ``ws.export``."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.panels.panel import CopyCode, Panel, button, classed, column, row, show, spacer, text

if TYPE_CHECKING:
    from voxloop.project import Workspace

ARRAYS = {"OME-Zarr": ".ome.zarr", "TIFF": ".tif", "HDF5": ".h5"}
#: what of a prediction, and as what
PREDICTIONS: Mapping[str, Mapping[str, str]] = dict.fromkeys(("labels", "probabilities", "uncertainty"), ARRAYS)
#: what of objects, and as what
OBJECTS: Mapping[str, Mapping[str, str]] = {
    "table": {"CSV": ".csv", "Parquet": ".parquet"},
    "labels": ARRAYS,
    "surface": {"PLY": ".ply", "OBJ": ".obj"},
}


class FileExport:
    """What, as what, into which file; Save.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose things are saved.
    what
        Kinds of things, and the formats of each with their suffixes.
    name
        Which prediction, or objects, are on show; None for none.
    number
        Which object is chosen, for a surface.
    """

    def __init__(
        self, panel: Panel, ws: Workspace, what: Mapping[str, Mapping[str, str]], name: Callable[[], str | None],
        number: Callable[[], int | None] = lambda: None,
    ) -> None:  # fmt: skip
        self._panel, self._ws, self._what, self._name, self._number = panel, ws, what, name, number
        changed = panel.handler(self.refresh)
        self.kind = w.Dropdown(options=list(what), tooltip="What is saved", layout={"width": "auto"})
        self.format = w.Dropdown(options=list(what[next(iter(what))]), tooltip="As what", layout={"width": "auto"})
        self.path = w.Text(
            placeholder="file", tooltip="Where; in the folder of the notebook unless it says another",
            layout={"width": "auto"},
        )  # fmt: skip
        self.replace = w.Checkbox(description="replace it", value=False, indent=False, layout={"width": "auto"})
        self.save = button("Save", panel.handler(self._save), icon="download", tooltip="Write the file")
        self.said = classed(text("", markup=True), "vx-small", "vx-dim")
        self._copy = CopyCode()
        self._suggested = ""
        self.kind.observe(panel.handler(self._kind_changed), "value")
        self.format.observe(changed, "value")
        self.path.observe(panel.handler(self._show_code), "value")
        self.widget = column(
            row(text("Save", "vx-small", "vx-dim"), self.kind, text("as", "vx-small", "vx-dim"), self.format),
            self.path,
            row(self.save, self.replace, spacer(), self._copy),
            self.said,
        )
        show(self.replace, False)
        show(self.widget, False)

    @property
    def code(self) -> str:
        """The line of Python that Save runs."""
        more = "".join(f", {name}={value!r}" for name, value in self._arguments().items())
        return f"ws.export({self._name()!r}, {self.path.value!r}{more})"

    def refresh(self) -> None:
        """Another thing is on show, or another format was chosen: suggest a name, unless one was typed."""
        name = self._name()
        show(self.widget, name is not None)
        if name is None:
            return
        suffix = self._what[self.kind.value][self.format.value]
        number = f"-{self._number()}" if self.kind.value == "surface" and self._number() is not None else ""
        suggested = f"{name}-{self.kind.value}{number}{suffix}"
        if self.path.value in ("", self._suggested):
            self.path.value = suggested
        self._suggested = suggested
        self._show_code()

    def _kind_changed(self) -> None:
        self.format.options = list(self._what[self.kind.value])
        self.refresh()

    def _show_code(self) -> None:
        there = bool(self.path.value) and Path(self.path.value).exists()
        show(self.replace, there)
        if not there:
            self.replace.value = False
        self.said.value = "there is such a file" if there and not self.replace.value else ""
        self._copy.code = self.code

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "table" in self._what:
            if self.kind.value == "labels":
                found["kind"] = "objects"
            if self.kind.value == "surface":
                found["number"] = self._number()
        elif self.kind.value != "labels":
            found["kind"] = self.kind.value
        return found | ({"overwrite": True} if self.replace.value else {})

    def _save(self) -> None:
        name = self._name()
        if name is None:
            return
        if self.kind.value == "surface" and self._number() is None:
            raise VoxloopError("choose an object in the table first: a surface is of one")
        path, arguments = self.path.value, self._arguments()
        self.save.disabled, self.said.value = True, "…"

        def write() -> Path | Exception:
            try:
                return self._ws.export(name, path, **arguments)
            except Exception as error:  # shown by the panel, on its own thread
                return error

        self._panel.in_thread(write, self._saved)

    def _saved(self, found: Path | Exception) -> None:
        self.save.disabled = False
        self._show_code()
        if isinstance(found, Exception):
            self.said.value = ""
            raise found
        self.said.value = f"saved as {html.escape(str(found))}"
