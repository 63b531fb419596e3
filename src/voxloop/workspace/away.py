"""Training a pack, on whatever machine it has come to: no workspace of one's own is needed. The work is a run's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from voxloop.config.learners import LEARNERS
from voxloop.errors import RunError, VoxloopError
from voxloop.extras import require
from voxloop.given import flag, path_of
from voxloop.runs import Run
from voxloop.store import Store
from voxloop.store.layout import Layout
from voxloop.workspace.pack_file import SUFFIX, PackFacts, extract, read_facts
from voxloop.workspace.packing import config_key, seal

#: behind the name of a pack: what training made, and the folder in which it is made
TRAINED, WORK = "-trained", ".work"
_DONE = ("finished", "stopped")


def train_pack(
    path: str | Path, to: str | Path | None = None, *, queue: bool = True, follow: Callable[[Run], object] | None = None
) -> Path:
    """Train what a pack holds, on this machine, and write what came out into a file to take home.

    A training that was paused, killed or ended by a time limit goes on where it was when this is called again: until
    it is done, it lies in a folder ``<pack>.work`` beside the pack.

    Parameters
    ----------
    path
        What ``ws.pack`` or ``voxloop pack`` wrote.
    to
        The file to write; default: ``<pack>-trained.vxl`` beside the pack.
    queue
        Wait in line where another run uses the device; False: refuse.
    follow
        Called with the run once it has begun, and returns when it has ended; None: wait quietly.

    Returns
    -------
    Path
        Of the file that ``ws.unpack`` takes.

    Raises
    ------
    RunError
        The file is no pack, or was trained already; or training failed, was paused or cancelled.

    Examples
    --------
    >>> path = ws.pack("shallow-1", "again.vxl")
    >>> print(vl.train_pack(path).name)
    again-trained.vxl
    """
    place = path_of(path, error=RunError).expanduser().absolute()
    facts = read_facts(place)
    if facts.trained:
        raise RunError(f"{place} has been trained already: ws.unpack or 'voxloop unpack' takes it home")
    target = _target(place, to)
    run = _opened(place, facts)
    if run.state not in _DONE:
        if run.state not in ("queued", "running", "stopping"):
            run.launch(flag("queue", queue, error=RunError))
        follow(run) if follow is not None else _wait(run)
    if run.state not in _DONE:
        why = f" ({run.history.error})" if run.history.error else ""
        raise RunError(f"training is {run.state}{why}; call it again to go on: it is kept in {_work(place)}")
    seal(run, target, facts)
    shutil.rmtree(_work(place), ignore_errors=True)
    return target


def _wait(run: Run) -> None:
    with suppress(VoxloopError):  # how it ended is said by the state
        run.wait()


def _work(place: Path) -> Path:
    return place.with_name(place.name + WORK)


def _target(place: Path, to: str | Path | None) -> Path:
    if to is None:
        return place.with_name(f"{place.stem}{TRAINED}{SUFFIX}")
    target = path_of(to, error=RunError).expanduser().absolute()
    if target.suffix != SUFFIX or target == place:
        raise RunError(f"{target} cannot hold what is made of {place.name}; name another file that ends in {SUFFIX}")
    if not target.parent.is_dir():
        raise RunError(f"there is no folder {target.parent}; make it first")
    return target


def _opened(place: Path, facts: PackFacts) -> Run:
    """The run in the work folder of a pack, unpacked where that has not been done."""
    work = _work(place)
    if not work.is_dir():
        part = work.with_name(f".{work.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        extract(place, part)
        part.replace(work)
    layout = Layout(work)
    run = Run(layout.run(facts.run))
    if config_key(run.config) != facts.config:
        raise RunError(f"{work} belongs to another pack than {place}; move it away, or remove it")
    learner = LEARNERS.get(run.learner or "")
    if learner is None or run.config["task"] != learner.task:
        raise RunError(f"{place} holds no training that this voxloop knows")
    require("networks need", *learner.packages)
    _check_images(place, layout, run)
    return run


def _check_images(place: Path, layout: Layout, run: Run) -> None:
    """Raise RunError where an image lies elsewhere, or a part of it is missing."""
    with Store.open(layout.root, read_only=True) as store:
        for name in {key.partition("/")[2] for key in run.config["labels"]}:
            info = store.images.info(name)
            if info.source != f"images/{name}.zarr" or info.arguments:
                raise RunError(f"{place} names an image that does not lie in it; it is not trained")
            try:
                store.images.open(name)
            except VoxloopError as error:
                raise RunError(f"{place} lacks image {name!r}, or a part of it ({error}); pack it again") from error
