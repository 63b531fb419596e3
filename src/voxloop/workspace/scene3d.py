"""The verb ``scene3d``: image planes and surfaces of what a workspace holds, for pictures, films and the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxloop.errors import LabelError, VolumeError
from voxloop.geometry import AXES
from voxloop.given import shown
from voxloop.store.values import whole
from voxloop.workspace.choices import one_image, region_in
from voxloop.workspace.project import Project
from voxloop.workspace.shown_things import ShownThing, things_of

if TYPE_CHECKING:
    from voxloop.film.raster import Surface
    from voxloop.film.scene3d import Scene3D

#: triangles of all surfaces
BUDGET = 300_000
LARGEST_BUDGET = 5_000_000


def scene3d(
    project: Project,
    image: str | None = None,
    *,
    layers: Sequence[Any] | None = None,
    planes: Mapping[str, int] | Sequence[str] | None = ("z", "y", "x"),
    clip: object = None,
    opacity: float = 1.0,
    budget: int = BUDGET,
    check: Callable[[], object] | None = None,
) -> Scene3D:
    """Image planes and surfaces of labels, predictions and objects in three dimensions.

    ``scene.picture("a.png", "isometric")`` and ``scene.turntable("a.mp4", seconds=6)`` need no screen;
    ``vl.View3D(ws)`` shows the same in the notebook.

    Parameters
    ----------
    layers
        Names of levels, predictions, and runs that made objects. None: every level that holds anything on the image.
    planes
        Which image planes show: axes, for those through the middle, or ``{"z": 12}``; None: none.
    clip
        What is shown: slices (z, y, x) in voxels, or a region of ``ws.regions``; None: all.
    opacity
        Of surfaces, above 0 to 1; ``scene.opacity`` holds that of each.
    budget
        Triangles of all surfaces, at most; what would have more is made of coarser voxels, and says so.
    check
        Called between pieces of work; what it raises ends it.

    Raises
    ------
    VolumeError, LabelError, PredictionError
        The image is flat, a plane lies outside, a layer is not there, empty, or has no surface.

    Examples
    --------
    >>> scene = ws.scene3d(layers=["objects-1"], planes={"z": 3})
    >>> scene.picture("cells.png", "isometric", size=(320, 240))
    PosixPath('cells.png')
    """
    from voxloop.film.scene3d import Scene3D

    image = one_image(project.store, image, clip)
    budget = whole("budget", budget, 1000, error=VolumeError)
    if budget > LARGEST_BUDGET:
        raise VolumeError(f"budget={budget}: {LARGEST_BUDGET:,} triangles at most")
    if not isinstance(opacity, int | float) or not 0 < opacity <= 1:
        raise VolumeError(f"opacity={shown(opacity)} is above 0, and 1 at most")
    if check is not None and not callable(check):
        raise VolumeError(f"check={shown(check)} is no function")
    box = None if clip is None else region_in(project.store, clip, image)
    scene = Scene3D(project.images.scales(image), clip=box)
    for axis, index in _planes(planes, scene.shape).items():
        scene.set_plane(axis, index)
    things = things_of(project, image, layers)
    solid = [thing for thing in things if thing.kind in ("classes", "objects")]
    flat = [thing.name for thing in things if thing not in solid]
    if layers is not None and flat:
        raise LabelError(f"{flat[0]!r} has no surface; ws.clip films points, boxes and tracks")
    for thing in solid:
        for surface in surfaces_of(thing, budget // len(solid), check):
            name = surface.name if surface.name not in scene.surfaces else f"{thing.name} {surface.name}"
            scene.surfaces[name] = surface
            scene.opacity[name] = float(opacity)
    return scene


def surfaces_of(thing: ShownThing, budget: int, check: Callable[[], object] | None = None) -> list[Surface]:
    """The surfaces of a level, a prediction or objects."""
    from voxloop.film.meshing import class_surfaces, object_surfaces

    if thing.kind == "objects":
        made = object_surfaces(thing.volume, name=thing.name, budget=budget, check=check)
        return [] if made is None else [made]
    classes = [one for one in thing.classes if getattr(one, "visible", True) and not getattr(one, "background", False)]
    return class_surfaces(thing.volume, classes, budget=budget, check=check)


def _planes(given: Any, shape: Sequence[int]) -> dict[str, int]:
    """Axes and planes. Raises VolumeError."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, str) or not isinstance(given, Sequence) or any(axis not in AXES for axis in list(given)):
        raise VolumeError(f"planes={shown(given)}: axes such as ('z', 'x'), or planes such as {{'z': 12}}")
    return {axis: shape[AXES.index(axis)] // 2 for axis in given}
