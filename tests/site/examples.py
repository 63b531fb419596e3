"""What the examples in docstrings run on: a small made-up workspace, and a fresh copy of it for each docstring."""

from __future__ import annotations

import ast
import doctest
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sources

import voxloop as vl
from voxloop.panels.base.panel import Panel
from voxloop.panels.view.plane_view import PlaneView

SHAPE = (6, 64, 64)
SPACING = (0.04, 0.01, 0.01)
MIDDLES = ((3, 16, 16), (2, 18, 46), (3, 46, 18), (3, 45, 45))
#: what workspaces are called in examples, and the folders that they lie in
WORKSPACES = {"ws": "cells", "film": "flies"}
#: labels of the four cells of ``ws``, each with a number of its own, where an example speaks of them
INSTANCES = "nuclei."
#: these take minutes or need files of others; their examples are shown and not run
MOST_SKIPPED = 10


@dataclass(frozen=True, slots=True)
class Example:
    """The examples of one docstring: whose it is (``voxloop.store.labels.Labels.read``), and where it stands."""

    owner: str
    text: str
    path: Path
    line: int

    @property
    def doctest(self) -> doctest.DocTest:
        return doctest.DocTestParser().get_doctest(self.text, {}, self.owner, str(self.path), self.line)


def examples() -> list[Example]:
    """Every docstring of the package that shows how it is used, in the order of files."""
    found = []
    for path in sorted(sources.PACKAGE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if ">>> " not in text:
            continue
        module = ".".join(path.relative_to(sources.PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        found += [
            Example(".".join((module, *owner)), doc, path, line)
            for owner, doc, line in _docstrings(ast.parse(text), ())
            if ">>> " in doc
        ]
    return found


def _docstrings(node: Any, owner: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, int]]:
    doc = ast.get_docstring(node)
    if doc:
        yield owner, doc, node.body[0].lineno
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstrings(child, (*owner, child.name))


def volume() -> Any:
    """Four bright cells in a dark stack, in micrometres."""
    rng = np.random.default_rng(0)
    gray = rng.normal(60, 4, SHAPE) + 100 * (truth() > 0)
    return vl.open_volume(gray.clip(0, 255).astype(np.uint8), spacing=SPACING)


def truth() -> Any:
    """The number of the cell that each voxel belongs to; 0 between them."""
    numbers = np.zeros(SHAPE, np.uint16)
    zyx = np.moveaxis(np.indices(SHAPE), 0, -1)
    for number, middle in enumerate(MIDDLES, start=1):
        numbers[(((zyx - middle) / (2.6, 9, 9)) ** 2).sum(axis=-1) < 1] = number
    return numbers


def make(folder: Path) -> None:
    """Both workspaces, in a folder."""
    make_cells(folder / WORKSPACES["ws"])
    make_film(folder / WORKSPACES["film"])


def make_cells(path: Path) -> None:
    """The workspace once round the loop: strokes, a pixel classifier, its prediction, objects, tracks."""
    with vl.Workspace.create(path, image=volume(), classes=["cell", "background"], image_name="stack") as ws:
        labels = ws.labels()
        labels.paint(index=3, points=[(14, 14), (18, 18)], radius=3, value="cell")
        labels.paint(index=3, points=[(45, 42), (45, 48)], radius=3, value="cell")
        labels.paint(index=3, points=[(31, 4), (31, 60)], radius=2, value="background")
        ws.levels.add("spots", kind="points", skeleton=["head", "tail"])
        ws.levels.add("boxes", kind="boxes", classes=["cell"])
        ws.levels.add("kinds", kind="pictures", classes=["sharp", "blurred"])
        assert (
            ws.train(vl.ShallowConfig(trees=8, sigmas_um=(0.02, 0.05), dimensions="2d"), name="shallow-1").wait()
            == "finished"
        )
        assert ws.predict("shallow-1", name="predict-1").wait() == "finished"
        assert ws.objects("predict-1", of="cell", name="objects-1").wait() == "finished"


def make_film(path: Path) -> None:
    """Two flies that cross a film of four frames."""
    frames = np.full((4, 48, 48), 200, np.uint8)
    with vl.Workspace.create(path, image=None, classes=[]) as film:
        film.images.add("film", vl.open_volume(frames, spacing=(1, 1, 1), z_kind="frame"))
        film.levels.add("flies", kind="points", skeleton=["head", "tail"])
        flies = film.points("flies")
        for frame in range(4):
            flies.add(frame, {"head": (10, 8 + 5 * frame), "tail": (10, 3 + 5 * frame)}, track="ann")
            flies.add(frame, {"head": (30, 40 - 5 * frame), "tail": (30, 45 - 5 * frame)}, track="bob")


@contextmanager
def namespace(example: Example, made: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """What the lines of an example see; a workspace of its own where they name one."""
    made_up = {name: make() for name, make in (("volume", volume), ("truth", truth)) if name in example.text}
    names: dict[str, Any] = {"vl": vl, "np": np, **made_up}
    with ExitStack() as opened:
        for name, called in WORKSPACES.items():
            if re.search(rf"\b{name}\b", example.text) or (name == "ws" and INSTANCES in example.text):
                shutil.copytree(made / called, folder / called)
                names[name] = opened.enter_context(vl.Workspace.open(folder / called))
        if INSTANCES in example.text:
            names["ws"].levels.add("nuclei", kind="instances")
            names["nuclei"] = names["ws"].labels("nuclei")
            names["nuclei"].write(None, truth())
        try:
            yield names
        finally:
            for shown in names.values():
                if isinstance(shown, Panel | PlaneView):
                    shown.close()


def run(example: Example, names: dict[str, Any]) -> str:
    """Run the lines; what came out otherwise than shown, empty where nothing did."""
    said: list[str] = []
    test = example.doctest
    test.globs = names
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(verbose=False, optionflags=flags).run(test, out=said.append, clear_globs=False)
    return "".join(said)
