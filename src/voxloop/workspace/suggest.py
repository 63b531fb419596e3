"""The verb ``suggest``: where to paint next, in which images. The work is done by review/."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from voxloop.errors import LabelError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.runs import Run
from voxloop.store.document import NamedRegion
from voxloop.store.region_mask import mask_of
from voxloop.store.values import as_list
from voxloop.workspace.choices import named_region, prediction_named, region_in, region_or_active
from voxloop.workspace.project import Project
from voxloop.workspace.suggest_frames import is_of_frames, suggest_frames

if TYPE_CHECKING:
    from voxloop.prediction import Prediction
    from voxloop.prediction.found import FoundPlaces
    from voxloop.review import FrameStrategy, Ground, Strategy, Suggestion


def suggest(
    project: Project,
    prediction: Prediction | FoundPlaces | Run | str | None = None,
    n: int = 8,
    strategy: Strategy | FrameStrategy = "gain",
    seed: int = 0,
    images: str | Sequence[str] | None = None,
    region: object = None,
    seen: Sequence[Suggestion] = (),
    level: str | None = None,
    frames: object = None,
) -> list[Suggestion]:
    """Where a person's next seconds are worth most, best first, each with its reason.

    Looks at pieces of planes of 64 pixels, across every axis where voxels are nearly cubic; of a large volume at blocks
    drawn by chance, 32 million voxels at most. Places that carry labels all over are left out.

    Parameters
    ----------
    prediction
        What the model says now: a prediction, its name or its run. None: where to paint the very first strokes.
    n
        How many at most.
    strategy
        ``"gain"``: what is expected to be wrong there and wherever it looks alike, per second of a person's time;
        before any prediction places by chance, rare kinds of place more often, and apart. ``"uncertainty"``: where
        most is unsure. ``"score"``: where what was found is least sure. ``"diversity"``: always the place least like
        those before. ``"kmeans"``: the middle of clusters of image features. ``"random"``: by chance. Of whole planes
        ``"stride"``:
        evenly spaced, and ``"motion"``: those that differ most from the one before.
    seed
        For what is drawn by chance.
    images
        Names, or ``"*"`` for all: the newest predictions of these by the same model are looked at together. None: the
        image of the prediction; all images where there is none.
    region
        Slices (z, y, x), a region of ``ws.regions`` or its name: look in it only; of one image. None: in the active
        region of each, or everywhere.
    seen
        Suggestions that somebody looked at and found right: they are not suggested again, and their like counts less.
    level, frames
        Of points, boxes and classes of frames, which frames to label next: a level of that kind (or a run that found
        such as ``prediction``), and the frames that may be suggested (numbers, a range; None: all). ``strategy`` is
        then ``"kmeans"``, ``"stride"``, ``"random"``, ``"motion"``, ``"chunk"`` (in turn), or, of what was found,
        else is on the level: ``"score"``, ``"velocity"`` (of bodies), ``"displacement"`` (of nodes).
        ``panel.show_suggestions([one.index for one in ...])`` goes through them.

    Raises
    ------
    PredictionError
        There is no such strategy, or it needs a prediction; the prediction kept neither probabilities nor uncertainty.
    WorkspaceError
        An image or region is not there.

    Examples
    --------
    >>> place = ws.suggest("predict-1", n=3)[0]
    >>> place.image, place.axis
    ('stack', 'z')
    >>> print(place.reason)
    unsure in ...% between cell and background; ...% of what may be wrong looks like this
    """
    from voxloop import review

    if is_of_frames(project, prediction, level):
        image = images if isinstance(images, str) or images is None else next(iter(as_list("images", images)), None)
        return suggest_frames(project, prediction, n, strategy, seed, level, image, frames)
    if frames is not None:
        raise WorkspaceError("frames= is of points, boxes and classes of frames; of voxels, say region=")
    chosen = None if prediction is None else prediction_named(project.predictions, prediction)  # type: ignore[arg-type]  # places were told apart
    names = _images(project, chosen, images, region)
    grounds = [_ground(project, name, chosen, region, _seen_in(name, seen)) for name in names]
    if chosen is not None:
        grounds = [ground for ground in grounds if ground.predictions]
    outlined = [
        one for name in names if (one := region_or_active(project.store, region, name)) is not None and one.outline
    ]
    found = review.suggest(grounds, 4 * n if outlined else n, strategy=strategy, seed=seed)  # type: ignore[arg-type]
    return [place for place in found if all(_is_in(place, one) for one in outlined)][:n]


def _images(
    project: Project, chosen: Prediction | None, images: str | Sequence[str] | None, region: object
) -> list[str]:
    every = list(project.images.names)
    named = named_region(project.store, region)
    if images is None and named is not None:
        names = [named.image]
    elif images is None and chosen is not None:
        names = [str(chosen.image)]
    elif images is None or (isinstance(images, str) and images == "*"):
        names = every
    else:
        names = [images] if isinstance(images, str) else list(as_list("images", images, error=WorkspaceError))
    for name in names:
        if name not in project.images:
            raise WorkspaceError(unknown("image", name, every))
    if region is not None and len(names) != 1:
        raise WorkspaceError(
            f"region {region!r} lies in one image; say which: images='{every[0] if every else 'name'}'"
        )
    return list(dict.fromkeys(names))


def _is_in(place: Suggestion, region: NamedRegion) -> bool:
    """Whether the middle of a place lies inside of a region; places on other images do."""
    if place.image != region.image:
        return True
    return bool(mask_of(region, Box.at(place.box.centre, (1, 1, 1))).all())


def _seen_in(image: str, seen: Sequence[Suggestion]) -> list[Box]:
    places = as_list("seen", seen)
    if not all(hasattr(place, "box") and hasattr(place, "image") for place in places):
        raise WorkspaceError("seen takes places that ws.suggest gave")
    return [place.box for place in places if place.image == image]


def _ground(
    project: Project, image: str, chosen: Prediction | None, region: object, seen: Sequence[Box] = ()
) -> Ground:
    from voxloop import review
    from voxloop.volumes import read_block

    info = project.images.info(image)
    labels = None
    with suppress(LabelError):
        labels = project.labels(None if chosen is None else chosen.level, image)
    volume = project.images.open(image)
    predictions = [] if chosen is None else _predictions_of(project, image, chosen)
    inside = region_in(project.store, region, image)
    return review.Ground(
        image=image,
        read=partial(read_block, volume),
        shape=info.shape,
        spacing_um=info.spacing_um,
        frames=info.z_kind == "frame",
        predictions=predictions,
        labels=labels,
        inside=inside,
        seen=seen,
    )


def _predictions_of(project: Project, image: str, chosen: Prediction) -> list[Prediction]:
    """What the model of ``chosen`` says of an image, the newest; none where it was not asked about it."""
    if chosen.image == image:
        return [chosen]
    maker = chosen.lineage.get("model_hash")
    asked = [one for one in project.predictions.values() if one.image == image and one.level == chosen.level]
    same = [one for one in asked if one.lineage.get("model_hash") == maker]
    with suppress(IndexError):
        return [same[-1]]
    return []
