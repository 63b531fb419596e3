"""What can be gone on with at once: workspaces opened lately, with their pictures, and samples. Opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from voxloop.errors import VoxloopError
from voxloop.panels.base.panel import Panel, column, section, show
from voxloop.panels.base.rows import Row, RowList
from voxloop.panels.base.work import Latest
from voxloop.panels.form.file_rows import recent_row, sample_rows
from voxloop.panels.form.recent import Recent
from voxloop.panels.form.source_chooser import ChosenSource
from voxloop.panels.view.thumbnails import as_markup, small_picture

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: workspaces shown; the others are under Recent
SHOWN = 5


class StartPage:
    """Two lists, in which one click opens.

    Parameters
    ----------
    panel
        Whose part it is.
    recent
        What was opened lately.
    choose
        Called with what was clicked.
    """

    def __init__(self, panel: Panel, recent: Recent, choose: Callable[[ChosenSource], object]) -> None:
        self._recent, self._choose = recent, choose
        self._workspaces = RowList(panel.handler(self._open_workspace), right=(2,))
        self._samples = RowList(panel.handler(self._open_sample), right=(1,))
        self._lately = section("Go on with", self._workspaces.widget)
        samples = section("Or try a sample", self._samples.widget)
        self.widget = column(self._lately, samples, classes=["vx-fills", "vx-scrolls"])
        self._looks: Latest[list[Row]] = Latest(panel, self._show)
        show(self._lately, False)
        self._samples.show(sample_rows())
        self.refresh()

    def refresh(self) -> None:
        """Look anew at what was opened lately."""
        self._looks.ask(self._look)

    def _look(self) -> list[Row]:
        rows = []
        for source in self._recent.workspaces()[:SHOWN]:
            picture = self._recent.picture(source.text)
            markup = as_markup(picture, "A slice of its first image") if picture else '<span class="vx-thumb"></span>'
            rows.append(recent_row(source, markup))
        return rows

    def _show(self, rows: list[Row]) -> None:
        self._workspaces.show(rows)
        show(self._lately, bool(rows))

    def _open_workspace(self, _: str, path: str) -> None:
        self._choose(ChosenSource("workspace", path))

    def _open_sample(self, _: str, name: str) -> None:
        self._choose(ChosenSource("sample", name))


def remember(recent: Recent, ws: Workspace) -> None:
    """Note a workspace as opened lately, with a slice of its first image. Off the UI thread; reads one plane."""
    recent.add(str(ws.path), _picture_of(ws))


def _picture_of(ws: Workspace) -> bytes | None:
    from voxloop.panels.volume.opened import OpenedVolume

    if not ws.images.names:
        return None
    try:
        name = ws.images.names[0]
        plane = OpenedVolume(ChosenSource("image", name), ws.images.open(name)).middle_plane()
    except (OSError, VoxloopError):
        return None
    return small_picture(plane[:, 0])
