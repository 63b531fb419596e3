"""Which image, region, prediction and name is meant, where a user said it short or not at all. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from voxloop.config import PredictConfig
from voxloop.errors import PredictionError, WorkspaceError, unknown
from voxloop.geometry import Box
from voxloop.given import shown
from voxloop.runs import Run
from voxloop.runs.names import check_name, free_name
from voxloop.store import Store
from voxloop.store.document import NamedRegion
from voxloop.store.values import as_list
from voxloop.workspace.predictions import Predictions
from voxloop.workspace.project import Project

if TYPE_CHECKING:
    from voxloop.prediction import Prediction


def named_region(store: Store, region: object) -> NamedRegion | None:
    """The named region that is meant, None where it is said in voxels."""
    if isinstance(region, str):
        return store.regions[region]
    return region if isinstance(region, NamedRegion) else None


def region_or_active(store: Store, region: object, image: str) -> NamedRegion | None:
    """The named region that is meant of an image, the active one where nothing is said; None where it is a box."""
    return store.regions.active_on(image) if region is None else named_region(store, region)


def one_image(store: Store, image: str | None, region: object = None) -> str:
    """The image that is meant: the one named, that of a named region, or the only one. Raises WorkspaceError."""
    names = store.images.names
    if image is None:
        named = named_region(store, region)
        image = None if named is None else named.image
    if image is None:
        if len(names) != 1:
            raise WorkspaceError(f"say which image: there are {', '.join(map(repr, names)) or 'none'}")
        return names[0]
    if not isinstance(image, str) or image not in names:
        raise WorkspaceError(unknown("image", image if isinstance(image, str) else shown(image), names))
    return image


def region_in(store: Store, region: object, image: str) -> Box:
    """The region that is meant, of this image; None for the active one, or all of it where none is.

    Raises WorkspaceError or VolumeError.
    """
    named = region_or_active(store, region, image)
    if named is None:
        return Box.of(region, store.images.info(image).shape)
    if named.image != image:
        raise WorkspaceError(
            f"region {named.name!r} is of image {named.image!r}, not of {image!r}; use image={named.image!r}, or "
            "say the region as slices (z, y, x)"
        )
    return named.box


def several_images(store: Store, image: str | Sequence[str] | None, config: PredictConfig) -> list[str] | None:
    """The images that are to be predicted in one run: those listed, or all for ``"*"``; None where it is one image.

    Raises WorkspaceError where one of them is not there, PredictionError where they are to be predicted elsewhere.
    """
    if image is None or (isinstance(image, str) and image != "*"):
        return None
    everything = isinstance(image, str)
    names = list(store.images.names) if everything else list(as_list("image", image, error=WorkspaceError))
    for name in names:
        if name not in store.images:
            raise WorkspaceError(unknown("image", name, store.images.names))
    if not names:
        raise WorkspaceError("there is no image to predict; add some with ws.images.add_folder(path)")
    if config.engine != "local":
        raise PredictionError(
            f"engine={config.engine!r}: several images in one run are predicted on this machine only; use "
            "engine='local', or a run for each"
        )
    return list(dict.fromkeys(names))


def prediction_named(predictions: Predictions, prediction: Prediction | Run | str) -> Prediction:
    """The prediction that is meant: itself, that of a run, or by name. Raises PredictionError."""
    from voxloop.prediction import Prediction

    if isinstance(prediction, Prediction):
        return prediction
    return predictions[prediction.name if isinstance(prediction, Run) else prediction]


def part_of(store: Store, prediction: Prediction, region: object = None) -> Box | None:
    """The region of a prediction that is meant: what was predicted where none is said; None for all of its image.

    Raises WorkspaceError or VolumeError where there is no such region in its image.
    """
    shape = prediction.plan.shape
    if region is None:
        box = prediction.box
    elif isinstance(region, str | NamedRegion):
        box = region_in(store, region, str(prediction.image))
    else:
        box = Box.of(region, shape)
    return None if box == Box.whole(shape) else box


def run_name(project: Project, name: str | None, stem: str) -> str:
    """The name of a new run: the one wanted, or the next number of the stem. Raises RunError where it may not be."""
    if name is not None:
        return check_name(name)
    return free_name(stem, [*project.runs, *project.predictions])


def predictions_with(project: Project, training: str) -> list[Prediction]:
    """What was predicted with the model of a training, the newest last. Raises PredictionError where nothing was."""
    made = [head.name for head in project.scores.heads() if head.trained_by == training]
    if not made:
        raise PredictionError(f"nothing was predicted with run {training!r} yet; ws.predict({training!r}) does")
    return [project.predictions[name] for name in made]
