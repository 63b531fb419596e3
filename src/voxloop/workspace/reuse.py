"""What other workspaces and folders have to offer: models, recipes of channels, settings. Reads; changes nothing there.

A folder that is named here may be somebody else's: names and settings are read out of plain files, models are opened
where they are used, as all models are. Links within it are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.config import Config
from voxloop.config.learners import LEARNERS
from voxloop.errors import ConfigError, WorkspaceError
from voxloop.given import path_of
from voxloop.plain_files import read_plain
from voxloop.runs.kinds import learner_name
from voxloop.runs.outcome import model_folder
from voxloop.store.layout import Layout, RunPlace

if TYPE_CHECKING:
    from voxloop.workspace.project import Project

#: entries of a folder that are looked at, at most
_MOST = 1000
#: settings that mean something in their own workspace alone
_ITS_OWN = dict.fromkeys(("level", "training_set", "validation_set", "images", "constrain", "start_from"))


class Reuse:
    """The sources of a workspace: ``ws.reuse.add("../first")``, ``ws.predict(ws.reuse.models["first: shallow-1"])``.

    Names are those of the source and of what lies in it, ``"first: shallow-1"``.

    Examples
    --------
    >>> path = film.reuse.add(ws.path)
    >>> sorted(film.reuse.models)
    ['cells: shallow-1']
    """

    def __init__(self, project: Project) -> None:
        self._project = project

    @property
    def paths(self) -> list[Path]:
        """The folders that are reused, those that are gone included."""
        return [Path(one) for one in self._project.store.document.reuse]

    def add(self, path: str | Path) -> Path:
        """Offer here what another workspace, or a folder with models or recipes of channels, has.

        Raises
        ------
        WorkspaceError
            There is no such folder, nothing in it can be reused, or it is this workspace.
        """
        store = self._project.store
        store.check_writable()
        folder = path_of(path, error=WorkspaceError).resolve()
        if not folder.is_dir():
            raise WorkspaceError(f"{folder} is no folder; give another workspace, or a folder of models")
        if folder == self._project.path.resolve():
            raise WorkspaceError("a workspace offers what is its own by itself; give another one")
        found = _Source(folder)
        if not found.is_workspace and not found.models and not found.recipes:
            raise WorkspaceError(f"{folder} holds no model and no channels; give another workspace, or a model folder")
        if str(folder) not in store.document.reuse:
            store.change(reuse=(*store.document.reuse, str(folder)))
        return folder

    def remove(self, path: str | Path) -> None:
        """Offer nothing of a folder any more; it stays as it is. Raises WorkspaceError where it is not reused."""
        store = self._project.store
        store.check_writable()
        given = path_of(path, error=WorkspaceError)
        kept = tuple(one for one in store.document.reuse if Path(one) not in (given, given.resolve()))
        if kept == store.document.reuse:
            known = ", ".join(store.document.reuse) or "nothing is"
            raise WorkspaceError(f"{given} is not reused here; {known}")
        store.change(reuse=kept)

    @property
    def models(self) -> dict[str, Path]:
        """Model folders by name: what ``ws.predict``, ``start_from`` and ``vl.load_model`` take."""
        return {f"{one.title}: {name}": path for one in self._sources() for name, path in one.models.items()}

    @property
    def recipes(self) -> dict[str, Path]:
        """Channels by name: what ``ws.channels.load`` takes."""
        return {
            f"{one.title}: {name}" if name else one.title: path
            for one in self._sources()
            for name, path in one.recipes.items()
        }

    @property
    def settings(self) -> dict[str, Config]:
        """Settings of trainings by name: what ``ws.train`` takes. Those of another version are left out."""
        return {f"{one.title}: {name}": config for one in self._sources() for name, config in one.settings()}

    def _sources(self) -> list[_Source]:
        """The sources, two of one name told apart by the folder above."""
        folders = [path for path in self.paths if path.is_absolute() and path.is_dir()]
        names = [path.name for path in folders]
        titles = [path.name if names.count(path.name) == 1 else "/".join(path.parts[-2:]) for path in folders]
        return [_Source(path, title) for path, title in zip(folders, titles, strict=True)]

    def __repr__(self) -> str:
        return f"<Reuse: {', '.join(map(str, self.paths)) or 'nothing'}>"


class _Source:
    """One folder: a workspace, a model folder, or a folder of models and recipes."""

    def __init__(self, path: Path, title: str = "") -> None:
        self._path, self.title = path, title
        self._layout = Layout(path)

    @property
    def is_workspace(self) -> bool:
        return self._layout.document.is_file()

    @property
    def models(self) -> dict[str, Path]:
        """Model folders by name, newest first."""
        if not self.is_workspace:
            folders = [self._path, *_folders(self._path)]
            return {one.name: one for one in folders if _is_model(one)}
        of_runs = {run.name: model_folder(run) for run in _folders(self._layout.runs)}
        kept = {one.name: one for one in _folders(self._layout.models)}
        return {name: folder for name, folder in {**of_runs, **kept}.items() if _is_model(folder)}

    @property
    def recipes(self) -> dict[str, Path]:
        """Files of channels by name; of a workspace itself under no name."""
        from voxloop.workspace.channels import read_recipes

        candidates = {"": self._path} if self.is_workspace else {one.stem: one for one in _files(self._path, ".json")}
        found = {}
        for name, path in candidates.items():
            try:
                if read_recipes(path):
                    found[name] = path
            except ConfigError:
                continue
        return found

    def settings(self) -> Iterator[tuple[str, Config]]:
        """Settings of the trainings of a workspace, without what names its own labels and runs."""
        for run in _folders(self._layout.runs) if self.is_workspace else ():
            try:
                facts = json.loads(read_plain(RunPlace(run).config))
                learner: Any = LEARNERS.get(str(learner_name(facts)))
                if learner is not None:
                    yield run.name, learner.config.from_json(facts["settings"]).changed(**_ITS_OWN)
            except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError):
                continue


def _is_model(folder: Path) -> bool:
    spec = folder / "spec.json"
    return spec.is_file() and not any(one.is_symlink() for one in (spec, folder))


def _folders(path: Path) -> list[Path]:
    """Folders in a folder, newest first; links and hidden ones are passed over."""
    try:
        found = [one for _, one in zip(range(_MOST), path.iterdir(), strict=False)]
        inside = [one for one in found if not one.name.startswith(".") and not one.is_symlink() and one.is_dir()]
        return sorted(inside, key=lambda one: -one.stat().st_mtime)
    except OSError:
        return []


def _files(path: Path, suffix: str) -> list[Path]:
    try:
        found = [one for _, one in zip(range(_MOST), path.iterdir(), strict=False)]
    except OSError:
        return []
    return sorted(one for one in found if one.suffix == suffix and one.is_file() and not one.is_symlink())
