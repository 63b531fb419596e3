"""The verb ``agreement``: two labelings of one image held against each other, whatever they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from voxloop.errors import VolumeError, WorkspaceError
from voxloop.given import flag, shown
from voxloop.runs import Run
from voxloop.store.values import number
from voxloop.workspace.choices import one_image, region_in
from voxloop.workspace.people import labels_by
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.review import Agreement


def agreement(
    project: Project,
    one: Any,
    other: Any,
    *,
    image: str | None = None,
    mapping: Mapping[int | str, int | str] | None = None,
    region: object = None,
    kind: Literal["auto", "semantic", "instances"] = "auto",
    unlabelled: Literal["auto", "skip", "class"] = "auto",
    boundaries: bool = True,
    reach_um: float | None = None,
    dataset: str | None = None,
) -> Agreement:
    """How far two labelings of an image agree, where they differ, and by how much; neither is the truth.

    Levels, predictions, masks in files and arrays, in any pairing: two annotators, a mask from elsewhere and one's own,
    two models. Streams over chunks; memory does not grow with the image.

    Parameters
    ----------
    one, other
        The name of a level or of a prediction, ``"cells by Ada"`` (what one author said), a path of a mask, Labels, a
        Prediction, its Run, an array (z, y, x).
    image
        Whose labels are meant by the name of a level; that of a prediction, or the only one, where not given.
    mapping
        Classes of the second, by name or value, to those of the first: ``{"mito": "mitochondria", 0: "background"}``.
        What it leaves out goes by name, and by value where one of the two knows no classes.
    region
        Slices (z, y, x), a region of ``ws.regions`` or its name; None: the active one, or all. Of a polygon its box.
    kind
        ``"instances"`` (objects matched by overlap, whatever their numbers) or ``"semantic"``; by itself what they are.
    unlabelled
        ``"skip"``: voxels that are 0 in one of the two are left out, and counted; ``"class"``: 0 is a class. By itself
        it is left out of levels and predictions, and a class of masks and arrays.
    boundaries, reach_um
        Whether distances of boundaries are measured, and up to where; 16 voxels where not given.
    dataset
        Of an HDF5 file.

    Raises
    ------
    WorkspaceError
        There is no such level, prediction or file.
    VolumeError
        The two do not lie on the same voxels.
    LabelError
        The mapping names a class that there is not.

    Examples
    --------
    >>> agreement = ws.agreement("predict-1", np.where(truth > 0, 1, 2), boundaries=False)
    >>> {name: round(dice, 1) for name, dice in agreement.dice.items()}
    {'cell': 0.9, 'background': 1.0}
    """
    from voxloop import review

    boundaries = flag("boundaries", boundaries, error=VolumeError)
    reach = None if reach_um is None else number("reach_um", reach_um, 1e-9, error=VolumeError)
    names = [_named(given, which) for given, which in ((one, "one"), (other, "other"))]
    predicted = [project.predictions[name].image for name in names if _is_prediction(project, name)]
    asked = image if image is not None else next((str(name) for name in predicted if name), None)
    chosen = one_image(project.store, asked, region)
    sources = [_source(project, given, chosen, dataset) for given in (one, other)]
    if names[0] == names[1]:
        names = [f"{name} ({which})" for name, which in zip(names, ("one", "other"), strict=True)]
    return review.agree(
        *sources,
        names=(names[0], names[1]),
        mapping=mapping,
        region=region_in(project.store, region, chosen),
        kind=kind,
        unlabelled=unlabelled,
        boundaries=boundaries,
        reach_um=reach,
        frames=project.images.info(chosen).z_kind == "frame",
        spacing_um=project.images.info(chosen).spacing_um,
    )


def _named(given: Any, which: str) -> str:
    """What something is called in tables and sentences."""
    if isinstance(given, str | Path):
        text = str(given)
        return text if not any(sign in text for sign in "/\\") else Path(text).name
    level = getattr(given, "level", None)
    name = getattr(given, "name", None) or getattr(level, "name", None)
    return name if isinstance(name, str) and name else which


def _is_prediction(project: Project, name: str) -> bool:
    return name not in project.levels.painted and name in project.predictions


def _source(project: Project, given: Any, image: str, dataset: str | None) -> Any:
    """Something that can be read."""
    if isinstance(given, Run):
        given = given.name
    if not isinstance(given, str | Path):
        return given
    name = str(given)
    if isinstance(given, str) and name in project.levels.painted:
        return project.labels(name, image)
    if isinstance(given, str) and name in project.predictions:
        found = project.predictions[name]
        if found.image != image:
            raise WorkspaceError(f"prediction {name!r} is of image {found.image!r}, not of {image!r}")
        return found
    said = labels_by(project, name, image)
    if said is not None:
        return said
    try:
        there = "://" in name or Path(name).expanduser().exists()
    except (OSError, RuntimeError, ValueError):  # a name too long, the home of nobody
        there = False
    if not there:
        levels = ", ".join(map(repr, project.levels.painted)) or "none"
        predictions = ", ".join(map(repr, project.predictions)) or "none"
        raise WorkspaceError(
            f"{shown(name)} is no level ({levels}), no prediction ({predictions}) and no file that there is"
        )
    from voxloop.volumes import open_volume

    return open_volume(name, dataset=dataset)
