"""A model that was brought here: where it lies, whose it is, what it may be used for. Fetches nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from voxloop.errors import ModelError
from voxloop.exchange.telling import sized
from voxloop.model import Model, load_model
from voxloop.plain_files import read_plain
from voxloop.store.atomic import replace_json

#: beside the files of a model: where they came from
NOTE = "origin.json"
#: the model that a package was made
MADE = "voxloop-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """A model that :func:`pull` brought. ``ws.predict(pulled)`` predicts with it.

    Attributes
    ----------
    path
        The folder with its files: a model folder, which ``start_from=str(pulled.path)`` takes as well, or a package.
    kind
        ``"model folder"``, of voxloop, or ``"package"``, of bioimage.io.
    source, revision
        What was asked for, and which version of it this is (commit, or version of the package; empty: not said).
    title, licence, authors
        As its makers say; empty where they do not.
    size
        Bytes that were fetched.
    fetched
        When, as ISO date.
    left_out
        Files that lay beside it and were not fetched, since they could hold code or are of no use here.
    """

    path: Path
    kind: str
    source: str
    revision: str = ""
    title: str = ""
    licence: str = ""
    authors: tuple[str, ...] = ()
    size: int = 0
    fetched: str = ""
    left_out: tuple[str, ...] = ()

    def model(self, image: Any = None) -> Model:
        """The model, opened.

        Parameters
        ----------
        image
            For packages that measure each picture by itself: a volume to measure
            (:func:`voxloop.bioimageio.import_package`). ``ws.predict(pulled)`` gives that of the workspace.

        Raises
        ------
        ModelError
            The files are damaged, or are of a package that cannot be used here.
        """
        if self.kind == "model folder":
            return load_model(self.path)
        made = self.path / MADE
        if image is None and (made / "spec.json").exists():
            return load_model(made)
        from voxloop.deep.exchange.foreign import import_package

        if image is not None:  # what was measured is that of this image alone
            made = self.path / "measured-model"
        return import_package(self.opened, made, image=image)

    @property
    def opened(self) -> Path:
        """The path that is opened: the model folder, or of a package its ``rdf.yaml`` or ``.zip``."""
        return self.path if self.kind == "model folder" else described(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        by = f" by {', '.join(self.authors)}" if self.authors else ""
        terms = (
            f"licence {self.licence}" if self.licence else "no licence stated: ask its makers before you share results"
        )
        version = f", {self.revision[:12]}" if self.revision else ""
        out = f"; left out: {', '.join(self.left_out[:4])}" if self.left_out else ""
        title = self.title or self.source
        return f"{title}{by} ({self.source}{version}): {terms}; {sized(self.size)} in {self.path}{out}"

    def note(self) -> Pulled:
        """Write down beside the files where they came from."""
        facts = asdict(replace(self, path=Path()))
        del facts["path"]
        replace_json(self.path / NOTE, facts)
        return self


def described(folder: Path) -> Path:
    """What of the files in a folder is the package: the description in it, or the one ``.zip``."""
    for name in ("rdf.yaml", "bioimageio.yaml"):
        if (folder / name).is_file():
            return folder / name
    packed: Sequence[Path] = sorted(folder.glob("*.zip"))
    if not packed:
        raise ModelError(f"{folder} holds no package any more; pull it again")
    return packed[0]


def known(folder: Path) -> Pulled | None:
    """What was brought into a folder before; None where nothing whole is there."""
    try:
        facts = json.loads(read_plain(folder / NOTE))
        facts["authors"], facts["left_out"] = tuple(facts["authors"]), tuple(facts["left_out"])
        return Pulled(path=folder, **facts)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
