"""Settings of objects that suit objects which a person labelled: sizes from them, seeds and smoothing by trying.

Reads a few blocks in which most objects are labelled, and the probabilities there; starts no run, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import pi, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxloop.config import ObjectsConfig
from voxloop.geometry import Box
from voxloop.objects import decode_instances, segment
from voxloop.objects.fields import VoxelField, field_of
from voxloop.objects.segmenting import ARROWS
from voxloop.objects.task import class_value, source_of
from voxloop.prediction import Prediction
from voxloop.review.contingency import ContingencyTable, count_on_labelled
from voxloop.review.metrics import Matching, match

if TYPE_CHECKING:
    from voxloop.store import Labels

#: labelled objects below which nothing is fitted
FEWEST = 3
#: overlap (IoU) from which an object that was made is a labelled one
OVERLAP = 0.5
#: blocks that are tried, at most, and what is seen around each, voxels
_BLOCKS, _AROUND = 8, (4, 32, 32)
#: voxels of all blocks together, at most
_VOXELS = 2**22
#: smoothing and cutting depth that are tried, in radii of a small object
_SMOOTHING, _DEPTHS = (0.0, 0.15, 0.35), (0.0, 0.3, 0.5, 0.7)
#: thresholds that are tried, of seeds and of voxels
_THRESHOLDS = (0.2, 0.35, 0.5, 0.65, 0.8)


@dataclass(frozen=True, slots=True)
class ObjectFit:
    """Settings of objects, and how well they find labelled objects again.

    Attributes
    ----------
    config
        What to make objects with.
    objects
        Labelled objects that were looked at.
    ap, ap_before
        matched / (matched + missed + extra) at IoU 0.5 on labelled voxels, with ``config`` and with the settings as
        they are. The settings were chosen on these objects: on others it will be a little less. nan of no object.
    words
        The above in a sentence.
    """

    config: ObjectsConfig
    objects: int
    ap: float
    ap_before: float
    words: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A block with labelled objects: their numbers, what was predicted around it, and where the block lies in that."""

    numbers: np.ndarray
    outputs: np.ndarray
    inner: Box


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What labelled objects measure: ``smallest`` in (cubic) micrometres, ``radius`` of a small one in micrometres."""

    smallest: float
    radius: float


def fit_objects(prediction: str | Path, labels: Labels, of: str | int | None = None) -> ObjectFit:
    """Choose settings by which the objects of a prediction come out as they were labelled.

    The smallest size is half of the smallest labelled object; of a network that learnt objects only where that is
    better than what is left out anyhow. Smoothing and where clumps are cut, then the threshold, are those of a few by
    which most labelled objects are found again (panoptic quality). Objects count where something
    is labelled, single planes included; what lies where nobody labelled is neither right nor wrong.

    Parameters
    ----------
    prediction
        Its folder.
    labels
        A level of instances on the image of the prediction.
    of
        Name or value of the class whose voxels become objects; as of :func:`voxloop.objects.task.class_value`.

    Returns
    -------
    ObjectFit
        With fewer than three labelled objects the settings as they are, and what it takes.

    Raises
    ------
    PredictionError
        The class is not there, or no probabilities were kept of a network that learnt objects.
    """
    folder = Path(prediction)
    return fit_field(_outputs(folder, of), labels, Prediction(folder).box)


def fit_field(field: VoxelField, labels: Labels, predicted: Box) -> ObjectFit:
    """:func:`fit_objects` of probabilities (1, z, y, x), or of a network's channels, inside a box."""
    places = list(_places(labels, field, predicted))
    sizes = _measure(places, field)
    number = len({int(number) for place in places for number in _present(place.numbers)})
    plain = ObjectsConfig()
    if sizes is None or number < FEWEST:
        lacking = f"label {FEWEST} whole objects on level {labels.level.name!r} to fit these settings; {number} are"
        return ObjectFit(plain, number, float("nan"), float("nan"), lacking)
    before = _try(places, plain, field)
    matchings = {plain: before}

    def best_of(candidates: Iterable[ObjectsConfig]) -> ObjectsConfig:
        matchings.update((config, _try(places, config, field)) for config in candidates if config not in matchings)
        return max(matchings, key=lambda config: (round(matchings[config].quality, 3), config == plain))

    cut = best_of(_candidates(places[0].outputs, sizes, plain))
    if len(places[0].outputs) > 1:
        cut = best_of([cut.changed(min_size=_rounded(sizes.smallest / 2))])
    best = best_of(cut.changed(threshold=threshold) for threshold in _THRESHOLDS)
    ap, ap_before = matchings[best].precision, before.precision
    words = f"fitted to {number} labelled objects: AP {ap:.2f} on them, {ap_before:.2f} with the settings as they are"
    return ObjectFit(best, number, ap, ap_before, words)


def labelled_level(levels: Sequence[Labels], own: str | None) -> Labels | None:
    """Of levels of instances the one to fit to: the prediction's ``own``, else the one with most labelled voxels."""
    labelled = [one for one in levels if one.counts()]
    return max(labelled, key=lambda one: (one.level.name == own, sum(one.counts().values())), default=None)


def _outputs(prediction: Path, of: str | int | None) -> VoxelField:
    """Probability of the class (1, z, y, x), or all channels of a network that learnt objects."""
    field = field_of(source_of(prediction, class_value(prediction, of)))

    def read(box: Box) -> np.ndarray:
        block = field.read(box)
        return block if block.ndim == 4 else block[None]

    return replace(field, read=read)


def _places(labels: Labels, field: VoxelField, predicted: Box) -> Iterator[_Place]:
    """The blocks with most labelled voxels of objects, as many as the budget allows."""
    background = next((info.value for info in labels.level.classes if info.background), 0)
    touched = [
        (sum(n for value, n in chunk.counts.items() if value not in (0, background)), chunk.box)
        for chunk in labels.touched()
    ]
    left = _VOXELS
    for voxels, box in sorted(touched, key=lambda item: -item[0])[:_BLOCKS]:
        block = box.meet(predicted)
        if not voxels or block is None:
            continue
        outer = block.grow(_AROUND).clip(field.shape).meet(predicted)
        if outer is None or (left := left - outer.size) < 0:
            continue
        numbers = labels.read(block).astype(np.int64)
        # what is labelled as no object keeps apart from what nobody labelled
        numbers = np.where(numbers == 0, -1, np.where(numbers == background, 0, numbers))
        yield _Place(numbers, field.read(outer), block.within(outer))


def _present(numbers: np.ndarray) -> np.ndarray:
    values = np.unique(numbers)
    return np.asarray(values[values > 0])


def _measure(places: Sequence[_Place], field: VoxelField) -> _Sizes | None:
    """Size and radius of small labelled objects: the twentieth and the quarter from below. None of none."""
    areas: list[float] = []
    radii: list[float] = []
    for place in places:
        for plane in place.numbers:
            _measure_plane(plane, field, areas, radii)
    if not areas:
        return None
    area = float(np.quantile(areas, 0.05))
    # of a profile in a plane the sphere whose middle it is
    smallest = area if field.flat else 4 / 3 * pi * sqrt(area / pi) ** 3
    return _Sizes(smallest, float(np.quantile(radii, 0.25)))


def _measure_plane(plane: np.ndarray, field: VoxelField, areas: list[float], radii: list[float]) -> None:
    """Add area and inscribed radius of every object that is whole in this plane."""
    import edt

    edges = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
    whole = np.setdiff1d(_present(plane), edges)
    if not len(whole):
        return
    _, y, x = field.spacing_um
    depth = edt.edt(np.maximum(plane, 0).astype(np.uint32), anisotropy=(y, x), black_border=False)
    for number in whole:
        inside = plane == number
        areas.append(float(inside.sum()) * y * x)
        radii.append(float(depth[inside].max()))


def _candidates(outputs: np.ndarray, sizes: _Sizes, plain: ObjectsConfig) -> list[ObjectsConfig]:
    """The settings as they are, and combinations for the kind of outputs."""
    smallest = _rounded(sizes.smallest / 2)
    smoothings = [_rounded(share * sizes.radius) for share in _SMOOTHING]
    configs = [plain]
    for smoothing in smoothings:
        base = plain.changed(smoothing=smoothing)  # of a network that learnt objects, flecks are left out anyhow
        if len(outputs) == 1:
            base = base.changed(min_size=smallest)
            configs += [base.changed(seed_depth=_rounded(share * sizes.radius)) for share in _DEPTHS]
        elif len(outputs) == len(ARROWS):
            configs.append(base)
        else:
            configs += [base.changed(seed_threshold=threshold) for threshold in _THRESHOLDS]
    return configs


def _rounded(value: float) -> float:
    """Two digits: settings are read by people."""
    return float(f"{value:.2g}")


def _try(places: Sequence[_Place], config: ObjectsConfig, field: VoxelField) -> Matching:
    matchings = [match(_table(place, config, field), OVERLAP) for place in places]
    return Matching(
        sum(one.matched for one in matchings),
        sum(one.missed for one in matchings),
        sum(one.extra for one in matchings),
        sum(one.overlap for one in matchings),
    )


def _table(place: _Place, config: ObjectsConfig, field: VoxelField) -> ContingencyTable:
    """Labelled and made objects of a place, on labelled voxels."""
    if len(place.outputs) == 1:
        made = segment(place.outputs[0], config, spacing_um=field.spacing_um, frames=field.frames)
    else:
        made = decode_instances(place.outputs, config, spacing_um=field.spacing_um, frames=field.frames)
    made = made[place.inner.slices].astype(np.int64)
    return count_on_labelled(place.numbers, made, place.numbers >= 0)
