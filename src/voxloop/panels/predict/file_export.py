"""What was made, saved as a file for other programs: what of it, where, and whether to replace. Calls ``ws.export``."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, row, show, spacer, text

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

ARRAYS = {"OME-Zarr": ".ome.zarr", "TIFF": ".tif", "HDF5": ".h5"}
#: what of a prediction, and as what
PREDICTIONS: Mapping[str, Mapping[str, str]] = dict.fromkeys(("labels", "probabilities", "uncertainty"), ARRAYS)
#: what of objects, and as what
OBJECTS: Mapping[str, Mapping[str, str]] = {
    "table": {"CSV": ".csv", "Parquet": ".parquet"},
    "labels": ARRAYS,
    "surface": {"PLY": ".ply", "OBJ": ".obj"},
}
#: whose surfaces
OF = [("the object chosen", "chosen"), ("the largest", "largest")]
#: surfaces that are saved at once
MOST = 100


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
    largest
        The numbers of so many objects, the largest first.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        what: Mapping[str, Mapping[str, str]],
        name: Callable[[], str | None],
        number: Callable[[], int | None] = lambda: None,
        largest: Callable[[int], list[int]] = lambda _: [],
    ) -> None:
        self._panel, self._ws, self._what, self._name = panel, ws, what, name
        self._number, self._largest = number, largest
        changed = panel.handler(self.refresh)
        self.kind = w.Dropdown(options=list(what), tooltip="What is saved", layout={"width": "auto"})
        self.format = w.Dropdown(options=list(what[next(iter(what))]), tooltip="As what", layout={"width": "auto"})
        self.of = w.Dropdown(options=OF, tooltip="Of which objects", layout={"width": "auto"})
        self.most = w.BoundedIntText(value=10, min=1, max=MOST, tooltip="How many", layout={"width": "60px"})
        self.path = w.Text(
            placeholder="file",
            tooltip="Where; in the folder of the notebook unless it says another",
            layout={"width": "auto"},
        )
        self.replace = w.Checkbox(description="replace it", value=False, indent=False, layout={"width": "auto"})
        self.save = button("Save", panel.handler(self._save), icon="download", tooltip="Write the file")
        self.said = classed(text("", markup=True), "vx-small", "vx-dim")
        self._copy = CopyCode()
        self._suggested = ""
        self.kind.observe(panel.handler(self._kind_changed), "value")
        for control in (self.format, self.of, self.most):
            control.observe(changed, "value")
        self.path.observe(panel.handler(self._show_code), "value")
        self._which = row(text("of", "vx-small", "vx-dim"), self.of, self.most)
        self.widget = column(
            row(text("Save", "vx-small", "vx-dim"), self.kind, text("as", "vx-small", "vx-dim"), self.format),
            self._which,
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
        if self._many:
            path = str(self._path_of("{n}")).replace("{", "{{").replace("}", "}}").replace("{{n}}", "{n}")
            numbers = self._largest(self.most.value)
            return f"for n in {numbers}: ws.export({self._name()!r}, f{path!r}, number=n{more})"
        return f"ws.export({self._name()!r}, {self.path.value!r}{more})"

    def refresh(self) -> None:
        """Another thing is on show, or another format was chosen: suggest a name, unless one was typed."""
        name = self._name()
        show(self.widget, name is not None)
        if name is None:
            return
        suffix = self._what[self.kind.value][self.format.value]
        surface = self.kind.value == "surface"
        show(self._which, surface)
        show(self.most, self._many)
        number = f"-{self._number()}" if surface and not self._many and self._number() is not None else ""
        suggested = f"{name}-{self.kind.value}{number}{suffix}"
        if self.path.value in ("", self._suggested):
            self.path.value = suggested
        self._suggested = suggested
        self._show_code()

    def _kind_changed(self) -> None:
        self.format.options = list(self._what[self.kind.value])
        self.refresh()

    def _show_code(self) -> None:
        paths = self._paths()
        there = sum(path.exists() for path in paths)
        show(self.replace, there > 0)
        self.replace.description = "replace them" if self._many else "replace it"
        if not there:
            self.replace.value = False
        words = [f"one file an object: {html.escape(paths[0].name)}, …"] if self._many and paths else []
        if there and not self.replace.value:
            words.append(f"{there} of {len(paths)} files are there already" if self._many else "there is such a file")
        self.said.value = "; ".join(words)
        self._copy.code = self.code

    @property
    def _many(self) -> bool:
        return bool(self.kind.value == "surface" and self.of.value == "largest")

    def _path_of(self, number: object) -> Path:
        """Of one of several surfaces."""
        path = Path(self.path.value)
        return path.with_name(f"{path.stem}-{number}{path.suffix}")

    def _paths(self) -> list[Path]:
        if not self.path.value:
            return []
        if self._many:
            return [self._path_of(number) for number in self._largest(self.most.value)]
        return [Path(self.path.value)]

    def _arguments(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "table" in self._what:
            if self.kind.value == "labels":
                found["kind"] = "objects"
            if self.kind.value == "surface" and not self._many:
                found["number"] = self._number()
        elif self.kind.value != "labels":
            found["kind"] = self.kind.value
        return found | ({"overwrite": True} if self.replace.value else {})

    def _save(self) -> None:
        name = self._name()
        if name is None:
            return
        if not self.path.value:
            raise VoxloopError(f"name a file first, for example {self._suggested}")
        if self.kind.value == "surface" and not self._many and self._number() is None:
            raise VoxloopError("choose an object in the table first, or the largest: a surface is of an object")
        arguments, paths = self._arguments(), self._paths()
        numbers: list[dict[str, Any]] = [{}]
        if self._many:
            numbers = [{"number": number} for number in self._largest(self.most.value)]
        self.save.disabled, self.said.value = True, "…"

        def write() -> list[Path] | Exception:
            made = []
            try:
                for path, number in zip(paths, numbers, strict=True):
                    made.append(self._ws.export(name, path, **arguments, **number))
                    if self._many:
                        self._panel.post(self._tell, f"{len(made)} of {len(paths)} saved …")
            except Exception as error:  # shown by the panel, on its own thread
                return error
            return made

        self._panel.in_thread(write, self._saved)

    def _tell(self, words: str) -> None:
        self.said.value = words

    def _saved(self, found: list[Path] | Exception) -> None:
        self.save.disabled = False
        self._show_code()
        if isinstance(found, Exception):
            self.said.value = ""
            raise found
        if len(found) > 1:
            self.said.value = f"{len(found)} files saved in {html.escape(str(found[0].absolute().parent))}"
        else:
            self.said.value = f"saved as {html.escape(str(found[0]))}"
