"""Where things lie in a workspace: the only module that knows. Opens and reads nothing.

What a file says of a place (a run's config, a prediction's lineage) is text that somebody else may have written: it is
resolved here, and what is removed must lie inside the workspace.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from voxloop.errors import WorkspaceError

#: folders of a workspace whose sizes are told, and that are made when they are needed
PARTS = (
    "images", "labels", "journal", "derived", "runs", "models", "predictions", "objects", "audits",
    "catalogue", "removed",
)  # fmt: skip
#: what runs make outside of their folder, and take along when they go
MADE = ("models", "predictions", "objects")
#: bytes of a name; with an ending a disk takes 255
_LONGEST = 240


@dataclass(frozen=True, slots=True)
class LabelPlace:
    """Where the files of one label array lie."""

    array: Path  # the OME-Zarr group
    journal: Path

    @property
    def index(self) -> Path:
        return self.array.with_suffix(".index.jsonl")

    @property
    def marks(self) -> Path:
        """The table of points, boxes or pictures, where the level is of these."""
        return self.array.with_suffix(".marks.npz")

    @property
    def authors(self) -> Path:
        """What each author said, once it was worked out: a cache."""
        return self.journal.parents[1] / "derived" / "authors" / self.journal.stem


@dataclass(frozen=True, slots=True)
class RunPlace:
    """Where things lie in the folder of one run."""

    folder: Path

    @property
    def config(self) -> Path:
        """Settings, and what the run was told to do, as JSON."""
        return self.folder / "config.json"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def spec(self) -> Path:
        """What the model says of itself; a run has a model where it is there."""
        return self.model / "spec.json"

    @property
    def classifier(self) -> Path:
        """The pixel classifier that a network is put beside."""
        return self.folder / "classifier"

    @property
    def outcome(self) -> Path:
        """Which of the two is kept to predict with, as JSON."""
        return self.folder / "outcome.json"

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        return self.checkpoints / "last"

    @property
    def samples(self) -> Path:
        """Pictures drawn while it trains."""
        return self.folder / "samples"

    @property
    def exports(self) -> Path:
        """Tables, plots and reports that people asked for."""
        return self.folder / "exports"

    @property
    def made(self) -> tuple[Path, ...]:
        """What training makes, and what goes with a model that is discarded."""
        return self.model, self.classifier, self.checkpoints, self.samples


class Layout:
    """The folders and files of the workspace at ``root``."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    @classmethod
    def of_run(cls, path: str | Path) -> Layout:
        """That of the workspace to which the run folder belongs."""
        return cls(Path(path).resolve().parent.parent)

    @classmethod
    def of_made(cls, path: str | Path) -> Layout:
        """That of the workspace to which a prediction, objects or a saved model belong."""
        return cls(Path(path).absolute().parent.parent)

    # ------------------------------------------------------------------------------------------------------ places

    @property
    def weights(self) -> Path:
        """Files of weights that came along in a pack."""
        return self.root / "weights"

    @property
    def document(self) -> Path:
        """Images, levels, regions and sets, as JSON."""
        return self.root / "workspace.json"

    @property
    def images(self) -> Path:
        """The workspace's own copies of images."""
        return self.root / "images"

    @property
    def rounds(self) -> Path:
        """The log of the loop."""
        return self.root / "rounds.jsonl"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def predictions(self) -> Path:
        return self.root / "predictions"

    @property
    def objects(self) -> Path:
        return self.root / "objects"

    def object_classifier(self, name: str) -> Path:
        """The file of a classifier of objects that is kept under a name."""
        return self.root / "classifiers" / f"{_plain(name)}.json"

    @property
    def audits(self) -> Path:
        """What people said of places drawn from predictions."""
        return self.root / "audits"

    @property
    def kept_strokes(self) -> Path:
        """Strokes that somebody looked at and kept, although models contradict them."""
        return self.audits / "kept-strokes.jsonl"

    @property
    def derived(self) -> Path:
        """Caches that may be deleted and come back."""
        return self.root / "derived"

    @property
    def journals(self) -> Path:
        """The journals of labels, points, boxes and classes."""
        return self.root / "journal"

    @property
    def scores(self) -> Path:
        """Scores of predictions that were computed."""
        return self.derived / "scores"

    def score(self, prediction: str) -> Path:
        """Where the score of a prediction lies once it was computed."""
        return self.scores / f"{_plain(prediction)}.json"

    def offer(self, image: str, level: str) -> Path:
        """Where it is kept which prediction of an image is offered."""
        return self.derived / "offers" / f"{_plain(level)}.{_plain(image)}.json"

    def channel(self, name: str, image: str) -> Path:
        """Where a channel of an image lies once it was computed whole."""
        return self.derived / "channels" / f"{_plain(name)}.{_plain(image)}.zarr"

    def supervoxels(self, image: str, key: str) -> Path:
        """Where the seeds of the supervoxels of an image lie; ``key`` stands for what they were made of."""
        return self.derived / "supervoxels" / _plain(image) / _plain(key)

    def catalogue(self, name: str) -> Path:
        """Where it is written down what people said of images, frames or tiles, line by line."""
        path = self.root / "catalogue" / f"{_plain(name)}.jsonl"
        self.check_unlinked(path)
        return path

    def thumbnails(self, name: str) -> Path:
        """Where small pictures of images, frames or tiles are kept."""
        path = self.derived / "thumbnails" / f"{_plain(name)}.pack"
        self.check_unlinked(path)
        return path

    def image(self, name: str) -> Path:
        """Where the workspace's own copy of an image lies."""
        return self.images / f"{_plain(name)}.zarr"

    def run(self, name: str) -> Path:
        return self.runs / _plain(name)

    def model(self, name: str) -> Path:
        """Where a model lies that was saved for a run of this name."""
        return self.models / _plain(name)

    def prediction(self, run: str, image: str | None = None) -> Path:
        """Where the prediction of a run lies; ``image``: of a run over many images."""
        name = run if image is None else f"{run}.{image}"
        return self.predictions / f"{_plain(name)}.zarr"

    def objects_of(self, name: str) -> Path:
        """Where the objects lie that a run made, or that a network learnt and a prediction of this name holds."""
        return self.objects / f"{_plain(name)}.zarr"

    def labels(self, level: str, image: str) -> LabelPlace:
        """Where the labels of one level on one image lie.

        Raises WorkspaceError where a name is that of another place, or a link leads out of the workspace: these files
        are written in place, so links are not followed.
        """
        level, image = _plain(level), _plain(image)
        place = LabelPlace(self.root / "labels" / level / f"{image}.zarr", self.journals / f"{level}.{image}.jsonl")
        written = (place.journal, place.journal.with_suffix(".bin"), place.journal.parent / "blobs")
        files = (place.index, place.marks, *written)
        for path in (place.array / "0" / "c", *files):
            self.check_unlinked(path)
        return place

    def check_unlinked(self, path: Path) -> None:
        """Raise WorkspaceError where a link lies on the way to a path of the workspace, or there is one."""
        for part in (path, *path.parents):
            if part == self.root:
                return
            if part.is_symlink():
                raise WorkspaceError(f"{part} is a link, and nothing is written through links; put the files there")

    # ------------------------------------------------------------------------------------------- what files say

    def inside(self, path: str | Path) -> Path:
        """A path that a file names, relative to the workspace or absolute, resolved.

        Raises WorkspaceError where it lies outside of the workspace, links followed.
        """
        root = self.root.resolve()
        resolved = (root / path).resolve()
        if not resolved.is_relative_to(root):
            raise WorkspaceError(f"{path} lies outside of the workspace {self.root}, so it is left alone")
        return resolved

    def relative(self, path: str | Path) -> str:
        """``path`` as files of the workspace name it: relative to it where it lies inside, else absolute."""
        resolved, root = Path(path).resolve(), self.root.resolve()
        return str(resolved.relative_to(root)) if resolved.is_relative_to(root) else str(resolved)

    def named(self, path: str | Path) -> Path:
        """What :meth:`relative` wrote, for reading: models may lie anywhere."""
        return self.root / path

    def remove(self, path: str | Path) -> None:
        """Remove a folder that a run made; one that is gone already is no error.

        Raises WorkspaceError where it is none of ``models/``, ``predictions/`` and ``objects/`` of the workspace.
        """
        resolved, root = self.inside(path), self.root.resolve()
        parts = resolved.relative_to(root).parts
        if len(parts) != 2 or parts[0] not in MADE:
            raise WorkspaceError(f"{path} is nothing that a run made in the workspace {self.root}; it is left alone")
        shutil.rmtree(resolved, ignore_errors=True)


def _plain(name: str) -> str:
    """``name`` itself. Raises WorkspaceError where it names more than one folder, or none that a disk could hold."""
    if not isinstance(name, str):
        raise WorkspaceError(f"{' '.join(repr(name).split())[:60]} is no name of a folder in a workspace")
    if not name or name.startswith("..") or "/" in name or "\\" in name or "\0" in name:
        raise WorkspaceError(f"{name!r} is no name of a folder in a workspace")
    if len(name.encode("utf-8", "surrogatepass")) > _LONGEST:
        raise WorkspaceError(f"{name[:60]!r}... is longer than the name of a folder can be")
    return name
