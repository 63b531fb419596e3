"""The report of a study, from the panel: groups of images, rules, where to. Calls ``ws.study``; computes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import PredictionError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, close_tree, column, labelled, row, text
from voxloop.panels.base.work import Attempt
from voxloop.panels.objects.measure_offers import MeasureOffers

if TYPE_CHECKING:
    from voxloop.objects import Objects
    from voxloop.panels.objects.object_sorting import Sorted
    from voxloop.workspace.workspace import Workspace


class ObjectReport:
    """A fold: title, groups, rules, file, and the button that writes the report.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose objects are reported.
    objects
        Gives those on show; they are the study where no groups are named.
    found
        Gives the kinds or classes that they were sorted into.
    columns
        Gives the measures that they have.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        objects: Callable[[], Objects | None],
        found: Callable[[], Sorted],
        columns: Callable[[], Sequence[str]],
    ) -> None:
        self._columns = columns
        self._panel, self._ws, self._objects, self._found = panel, ws, objects, found
        self.copy = CopyCode()
        panel.on_close(partial(close_tree, self.copy))
        self.fold = Fold("Report of a study", self._build, lambda fold: self._offer())
        self.widget = column(self.fold.widget)

    def write(self) -> None:
        """Write the report, off the UI thread."""
        objects = self._objects()
        if objects is None:
            raise PredictionError("open a run of objects first")
        path = str(self._path.value).strip()
        if not path:
            raise PredictionError("name a file first, for example study.html")
        groups = _named_lines(str(self._groups.value), ":") or None
        given: dict[str, Any] = {"name": str(self._title.value).strip() or "Study"}
        if groups is not None:
            given["groups"] = {name: [one.strip() for one in images.split(",")] for name, images in groups.items()}
        rules = _named_lines(str(self._rules.value), ":", bare=True)
        if rules:
            given["rules"] = rules
        if str(self._only.value).strip():
            given["only"] = str(self._only.value).strip()
        found = self._found()
        about = "".join(f", {name}={value!r}" for name, value in given.items())
        if found.classifier is not None:
            given["classes"], about = found.classifier, f"{about}, classes=classifier"
        elif found.of and groups is None:
            given["classes"], about = found.of, f"{about}, classes=kinds"
        which = None if groups is not None else objects.name
        replace = bool(self._replace.value)
        more = ", overwrite=True" if replace else ""
        self.copy.code = f"ws.study({which!r}{about}).report({path!r}{more})"
        self._words.value = "writing …"
        self._writing(which if which is None else objects, given, path, replace)

    def _write(self, which: Any, given: dict[str, Any], path: str, replace: bool) -> Path:
        return self._ws.study(which, **given).report(path, overwrite=replace)

    def _written(self, path: Path) -> None:
        self._words.value = f"written: {path}"

    def _failed(self, error: BaseException) -> None:
        self._words.value = ""
        self._panel.show_error(error)

    def _offer(self) -> None:
        objects = self._objects()
        if objects is not None and not self._path.value:
            self._path.value = f"{objects.name}-study.html"

    def _build(self) -> list[w.Widget]:
        self._title = w.Text(value="Study", **labelled("Title", "Stands above the report"))
        self._groups = w.Textarea(
            rows=2, placeholder="control: image1, image2\ntreated: image3",
            **labelled("Groups", "Of images, a line each; nothing: the objects on show alone"),
        )  # fmt: skip
        self._rules = w.Textarea(
            rows=2, placeholder="large: volume_um3 > 2",
            **labelled("Rules", "A rule a line, with a name or without: for how many objects it holds"),
        )  # fmt: skip
        self._only = w.Text(
            placeholder="touches_edge == 0", **labelled("Only", "A rule that all objects of the study meet")
        )
        offers = [MeasureOffers(self._panel, field, self._columns) for field in (self._rules, self._only)]
        self._path = w.Text(**labelled("File", ".html, or .pdf with the table beside it"))
        self._replace = w.Checkbox(description="replace it", value=False, indent=False, layout={"width": "auto"})
        write = button("Write report", self._panel.handler(self.write), icon="file-text-o", tooltip="Pictures and all")
        self._writing: Attempt[Path] = Attempt(
            self._panel, self._write, self._written, button=write, failed=self._failed
        )
        self._words = text("", "vx-dim")
        return [
            self._title, self._groups, self._rules, offers[0].widget, self._only, offers[1].widget, self._path,
            row(write, self._replace), self._words, self.copy,
        ]  # fmt: skip


def _named_lines(words: str, between: str, *, bare: bool = False) -> dict[str, str]:
    """``name: rest`` of each line that holds anything, or with ``bare`` the rest alone. Raises PredictionError."""
    out = {}
    for line in filter(None, map(str.strip, words.splitlines())):
        name, found, rest = line.partition(between)
        if bare and not found:
            name, found, rest = line, between, line
        if not found or not name.strip() or not rest.strip():
            raise PredictionError(f"{line!r} has no name; write one, such as control: image1, image2")
        out[name.strip()] = rest.strip()
    return out
