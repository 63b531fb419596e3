"""What was made, saved as a file for other programs: what of it, where, and whether to replace. Calls ``ws.export``."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import VoxloopError
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, row, show, spacer, text
from voxloop.panels.base.work import Attempt

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

ARRAYS = {"OME-Zarr": ".ome.zarr", "TIFF": ".tif", "HDF5": ".h5"}
#: what of a prediction, and as what
PREDICTIONS: Mapping[str, Mapping[str, str]] = dict.fromkeys(("labels", "probabilities", "uncertainty"), ARRAYS)
#: what of objects, and as what
OBJECTS: Mapping[str, Mapping[str, str]] = {
    "table": {"CSV": ".csv", "Parquet": ".parquet", "Excel": ".xlsx"},
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
        self._attempt = Attempt(panel, self._write, self._saved, button=self.save, failed=self._failed)
        self.words = classed(text("", markup=True), "vx-small", "vx-dim")
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
            self.words,
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
        surface = self.kind.value == "surface"
        show(self._which, surface)
        show(self.most, self._many)
        suggested = f"{name}-{self.kind.value}"
        if surface and not self._many and self._number() is not None:
            suggested += f"-{self._number()}"
        suggested += self._what[self.kind.value][self.format.value]
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
        words = []
        if self._many and paths:
            words.append(f"one file an object: {paths[0].name}, …")
        if there and not self.replace.value and self._many:
            words.append(f"{there} of {len(paths)} files are there already")
        elif there and not self.replace.value:
            words.append("there is such a file")
        self._say("; ".join(words))
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
        """What ``ws.export`` is given beside name and path; the number of one of several surfaces comes on top."""
        arguments: dict[str, Any] = {}
        of_objects = "table" in self._what
        if of_objects and self.kind.value == "labels":
            arguments["kind"] = "objects"
        elif of_objects and self.kind.value == "surface" and not self._many:
            arguments["number"] = self._number()
        elif not of_objects and self.kind.value != "labels":
            arguments["kind"] = self.kind.value
        if self.replace.value:
            arguments["overwrite"] = True
        return arguments

    def _save(self) -> None:
        name = self._name()
        if name is None:
            return
        if not self.path.value:
            raise VoxloopError(f"name a file first, for example {self._suggested}")
        if self.kind.value == "surface" and not self._many and self._number() is None:
            raise VoxloopError("choose an object in the table first, or the largest: a surface is of an object")
        numbers: list[dict[str, int]] = [{}]
        if self._many:
            numbers = [{"number": number} for number in self._largest(self.most.value)]
        self.words.value = "Saving …"
        self._attempt(name, self._paths(), [{**self._arguments(), **number} for number in numbers])

    def _write(self, name: str, paths: list[Path], arguments: list[dict[str, Any]]) -> list[Path]:
        """Off the UI thread: one file with each of the arguments."""
        written = []
        for path, options in zip(paths, arguments, strict=True):
            written.append(self._ws.export(name, path, **options))
            if len(paths) > 1:
                self._panel.post(self._say, f"{len(written)} of {len(paths)} saved …")
        return written

    def _say(self, words: str) -> None:
        self.words.value = html.escape(words)

    def _saved(self, paths: list[Path]) -> None:
        self._show_code()
        if len(paths) > 1:
            self._say(f"{len(paths)} files saved in {paths[0].absolute().parent}")
        else:
            self._say(f"saved as {paths[0]}")

    def _failed(self, error: BaseException) -> None:
        self._show_code()
        self._panel.show_error(error)
