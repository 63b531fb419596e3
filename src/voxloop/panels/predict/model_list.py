"""The models of a workspace to choose from, and a fold that adds packages to them. Opens no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as w

from voxloop.errors import ModelError
from voxloop.panels.base.fold import Fold
from voxloop.panels.base.panel import CopyCode, Panel, button, classed, column, row, text
from voxloop.panels.base.rows import RowList
from voxloop.panels.base.work import Attempt, Poll
from voxloop.panels.form.path_chooser import PathChooser
from voxloop.panels.monitor.run_start import unless_gone
from voxloop.panels.monitor.score_watch import ScoreWatch
from voxloop.panels.monitor.score_words import SCORE_HEAD
from voxloop.panels.predict.package_import import PackageImport
from voxloop.panels.predict.prediction_rows import KEPT, Offered, list_models
from voxloop.store.document import safe_name

if TYPE_CHECKING:
    from voxloop.workspace.workspace import Workspace

#: what packages are called: a file, or the description in an unpacked one
PACKAGES = (".zip", "rdf.yaml")
#: what makes a folder a model of voxloop, or a workspace
SPEC, DOCUMENT = "spec.json", "workspace.json"


class ModelList:
    """Runs and folders that hold a model, the best score beside each; *Add model…* imports a package.

    Parameters
    ----------
    panel
        Whose part it is.
    ws
        Whose models are listed.
    image
        The image on show: packages that know no intensities measure it.
    chosen
        Called when another model is chosen.
    listed
        Called when the list was looked at anew.
    """

    def __init__(
        self,
        panel: Panel,
        ws: Workspace,
        image: Callable[[], str],
        chosen: Callable[[], object],
        listed: Callable[[], object] = lambda: None,
    ) -> None:
        self._panel, self._ws, self._image, self._chosen, self._listed = panel, ws, image, chosen, listed
        self._import: PackageImport | None = None
        self.names: tuple[str, ...] = ()
        self._follows = True  # what is offered, until somebody chooses
        self.list = RowList(
            panel.handler(lambda _, key: self.choose(key)),
            head=("Model", SCORE_HEAD, "Trained"),
            ranked=1,
            height=118,
            empty="No trained model yet. The Train step makes one.",
        )
        self.words = text("", "vx-small", "vx-dim")
        self.fold = Fold("Add model…", self._build, lambda _: self._opened())
        self.widget = column(self.list.widget, self.words, self.fold.widget)
        self._poll = Poll(panel, lambda: list_models(ws), self._show, failed=unless_gone(panel))
        ScoreWatch(panel, ws, self.refresh)

    @property
    def selected(self) -> str:
        """Name of the run, or ``models/<name>``; empty where there is none."""
        return self.list.selected

    @property
    def code(self) -> str:
        """The line of Python that Add runs."""
        source, name = self.chooser.line.value, self.name.value.strip()
        if not source:
            return ""
        folder = Path(source).parent if Path(source).name in (SPEC, DOCUMENT) else Path(source)
        if any((folder / one).exists() for one in (SPEC, DOCUMENT)):
            return f"ws.reuse.add({str(folder)!r})"
        image = f"ws.images.open({self._image()!r})"
        return f"vl.bioimageio.import_package({source!r}, ws.path / {KEPT + name!r}, image={image})"

    def choose(self, key: str) -> None:
        """Take another model, and stay with it."""
        self._follows = False
        self._take(key)

    def _take(self, key: str) -> None:
        self.list.selected = key
        self._chosen()

    def refresh(self) -> None:
        """Look anew at the models; where nobody chose one, or it is gone, the one that is offered is taken."""
        self._poll.now()

    def _show(self, offer: Offered) -> None:
        self.names = tuple(row.key for row in offer.rows)
        self.list.show(offer.rows)
        self.words.value = offer.words
        if self.selected not in self.names:
            self._follows = True
        if self._follows and self.selected != offer.best:
            self._take(offer.best)
        self._listed()

    def add(self) -> None:
        """Import the package chosen, and choose it."""
        self._ws.store.check_writable()
        source, name = self.chooser.path, self.name.value.strip()
        if source.name in (SPEC, DOCUMENT) or any((source / one).exists() for one in (SPEC, DOCUMENT)):
            self._reuse(source if source.is_dir() else source.parent)
            return
        if name != safe_name(name):
            raise ModelError(f"{name!r} cannot be the name of a model; {safe_name(name)!r} can")
        folder = self._ws.path / KEPT / name
        if folder.exists():
            raise ModelError(f"there is a model {name!r} already; give this one another name")
        self.progress.value = "Reading the package …"
        self._add(source.absolute(), folder, self._image())

    def _reuse(self, folder: Path) -> None:
        """List the models of another workspace, or a model folder, from now on; nothing is copied."""
        added = self._ws.reuse.add(folder)
        self._panel.say(f"Models of {added} are listed; they stay where they are.", "good")
        self.fold.close()
        self.chooser.line.value = ""
        self.refresh()

    def _import_package(self, source: Path, folder: Path, image: str) -> tuple[str, dict[str, Any]]:
        self._import = PackageImport(self._ws.path, source, folder, image)
        return f"{KEPT}{folder.name}", self._import.wait()

    def close(self) -> None:
        """Give up an import under way."""
        if self._import is not None:
            self._import.cancel()

    def _added(self, added: tuple[str, dict[str, Any]]) -> None:
        self._import, self.progress.value = None, ""
        key, facts = added
        words = f"{key} is added: {', '.join(facts['classes'])}"
        if facts["measured"]:
            words += f"; {facts['measured']}"
        self._panel.say(words, "good")
        self.fold.close()
        self.chooser.line.value = ""
        self.names = (key, *self.names)
        self.choose(key)

    def _refused(self, error: BaseException) -> None:
        self._import, self.progress.value = None, ""
        self._panel.show_error(error)

    def _build(self) -> list[w.Widget]:
        handler = self._panel.handler
        self.chooser = PathChooser(
            self._panel,
            (*PACKAGES, SPEC, DOCUMENT),
            self._path_changed,
            placeholder="another workspace, a model folder or a bioimage.io package",
        )
        self.name = w.Text(placeholder="name", tooltip="What the model is called here", layout={"width": "auto"})
        self.name.observe(handler(self._show_code), "value")
        self.button = button("Add", handler(self.add), icon="plus", tooltip="Import it into this workspace")
        self._add = Attempt(self._panel, self._import_package, self._added, button=self.button, failed=self._refused)
        self.progress = text("", "vx-small", "vx-dim")
        self._copy = CopyCode()
        line = row(self.button, classed(self.name, "vx-grow"), self._copy)
        return [column(self.chooser.widget, line, self.progress)]

    def _opened(self) -> None:
        self.chooser.refresh()
        self._show_code()

    def _path_changed(self) -> None:
        if self.chooser.line.value:
            self.name.value = self._name_for(Path(self.chooser.line.value))
        self._show_code()

    def _name_for(self, path: Path) -> str:
        stem = path.parent.name if path.name == "rdf.yaml" else path.stem.removesuffix(".bioimage")
        base = name = safe_name(stem)
        number = 2
        while (self._ws.path / KEPT / name).exists():
            name, number = f"{base}-{number}", number + 1
        return name

    def _show_code(self) -> None:
        self._copy.code = self.code
