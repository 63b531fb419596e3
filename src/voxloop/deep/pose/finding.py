"""From pictures to instances: networks asked, their maps read. The one way, for validation and prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from voxloop.deep.networks.device import autocast, lay_out
from voxloop.deep.pose.grouping import group
from voxloop.deep.pose.lessons import probabilities, window_of
from voxloop.deep.pose.peaks import Peaks, highest_peaks, local_peaks
from voxloop.deep.pose.pictures import AlbumPicture, Reader
from voxloop.deep.pose.plan import PlacePlan, StagePlan
from voxloop.deep.pose.variation import WindowView, plain_view
from voxloop.deep.transfer import runtime, sent

#: peaks below this are not looked at, whatever the threshold, where scores are wanted for all thresholds
LOWEST = 0.02
#: pixels of a tile of a large picture, in frames and in volumes, and how far tiles overlap at each side
_TILE, _BLOCK, _OVERLAP, _DEEP_OVERLAP = 768, 96, 48, 16
#: of two animals whose middles are this close, as a share of the crop, one is dropped where its nodes are the same
_SAME = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Instances that were found in a picture, surest first.

    Attributes
    ----------
    at
        (instance, channel, axis) pixels of the picture, NaN where a node was not found. Channels are nodes, or classes.
    node_scores
        (instance, channel), NaN where nothing was found.
    scores
        (instance,).
    extents
        (instance, axis) half the sides of boxes; None for points.
    """

    at: np.ndarray
    node_scores: np.ndarray
    scores: np.ndarray
    extents: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Found:
        keep = self.scores >= threshold
        return Found(
            self.at[keep],
            self.node_scores[keep],
            self.scores[keep],
            None if self.extents is None else self.extents[keep],
        )


class Finder:
    """Asks the networks of a plan.

    Parameters
    ----------
    networks
        By name of stage, in evaluation mode, on ``device``.
    """

    def __init__(
        self,
        plan: PlacePlan,
        networks: Mapping[str, nn.Module],
        reader: Reader,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self._plan, self._networks, self._reader = plan, networks, reader
        self._device, self._precision = device, precision

    def find(self, pictures: Sequence[AlbumPicture], threshold: float | None = None) -> list[Found]:
        """Instances of pictures of one shape."""
        threshold = self._plan.threshold if threshold is None else threshold
        with torch.inference_mode():
            found = self._find(pictures, threshold)
        return [_inside(one, picture.shape) for one, picture in zip(found, pictures, strict=True)]

    def _find(self, pictures: Sequence[AlbumPicture], threshold: float) -> list[Found]:
        match self._plan.pipeline:
            case "single":
                return self._single(pictures, threshold)
            case "top-down":
                return self._top_down(pictures, threshold)
            case "bottom-up":
                return self._bottom_up(pictures, threshold)
            case _:
                return [self._things(picture, threshold) for picture in pictures]

    # -------------------------------------------------------------------------------------------------- the pipelines

    def _single(self, pictures: Sequence[AlbumPicture], threshold: float) -> list[Found]:
        stage = self._plan.stages[0]
        views, answers = self._ask_whole(stage, pictures)
        out = []
        for view, maps in zip(views, answers["maps"], strict=True):
            at, scores = highest_peaks(probabilities(maps, odds=self._plan.odds), stage.stride("maps"))
            out.append(_one(view.on_picture(at.numpy()), scores.numpy(), threshold))
        return out

    def _top_down(self, pictures: Sequence[AlbumPicture], threshold: float) -> list[Found]:
        animals, nodes = self._plan.stages
        views, answers = self._ask_whole(animals, pictures)
        crops: list[tuple[int, np.ndarray, float]] = []
        for number, (view, maps) in enumerate(zip(views, answers["maps"], strict=True)):
            peaks = local_peaks(
                probabilities(maps, odds=self._plan.odds), animals.stride("maps"), min(threshold, 0.2), radius=2
            )
            if self._plan.most is not None:
                peaks = peaks.take(torch.arange(min(len(peaks), self._plan.most)))
            middles = view.on_picture(peaks.at.numpy())
            crops += [(number, at, float(s)) for at, s in zip(middles, peaks.score, strict=True)]
        found: list[list[Found]] = [[] for _ in pictures]
        for number, one in self._in_crops(nodes, pictures, crops, threshold):
            found[number].append(one)
        size = nodes.window[0] / nodes.scale[0]
        return [_apart(_joined(parts, len(self._plan.names)), _SAME * size) for parts in found]

    def _in_crops(
        self,
        stage: StagePlan,
        pictures: Sequence[AlbumPicture],
        crops: list[tuple[int, np.ndarray, float]],
        threshold: float,
    ) -> Iterator[tuple[int, Found]]:
        for first in range(0, len(crops), 16):
            part = crops[first : first + 16]
            views = [plain_view(stage.window, at, stage.scale) for _, at, _ in part]
            pixels = [
                window_of(pictures[number], self._reader, view, stage.window)
                for (number, _, _), view in zip(part, views, strict=True)
            ]
            answers = self._ask(stage, torch.stack(pixels))
            for (number, _, sure), view, maps in zip(part, views, answers["maps"], strict=True):
                at, scores = highest_peaks(probabilities(maps, odds=self._plan.odds), stage.stride("maps"))
                one = _one(view.on_picture(at.numpy()), scores.numpy(), threshold)
                if len(one):
                    yield number, Found(one.at, one.node_scores, one.scores * np.sqrt(sure))

    def _bottom_up(self, pictures: Sequence[AlbumPicture], threshold: float) -> list[Found]:
        plan, stage = self._plan, self._plan.stages[0]
        views, answers = self._ask_whole(stage, pictures)
        out = []
        for number, view in enumerate(views):
            maps = probabilities(answers["maps"][number], odds=plan.odds)
            peaks = local_peaks(maps, stage.stride("maps"), threshold, radius=2)
            fields = answers["fields"][number].numpy()
            at, node, score = peaks.at.numpy(), peaks.channel.numpy(), peaks.score.numpy()
            longest = plan.longest * stage.scale[0]
            animals = group(at, node, score, fields, stage.stride("fields"), plan.edges, len(plan.names), longest)
            animals = [own for own in animals if len(own) > 1 or len(plan.names) == 1][: plan.most]
            out.append(_grouped(animals, view.on_picture(at) if len(at) else at, score, len(plan.names)))
        return out

    def _things(self, picture: AlbumPicture, threshold: float) -> Found:
        stage = self._plan.stages[0]
        parts = []
        for view, shape, keep in _tiles(stage, picture.shape):
            answer = self._ask(stage, window_of(picture, self._reader, view, shape)[None])
            maps = probabilities(answer["maps"][0], odds=self._plan.odds)
            peaks = _peaks_of_things(maps, stage, max(LOWEST, threshold), exclusive=self._plan.exclusive)
            at = view.on_picture(peaks.at.numpy()) if len(peaks) else np.zeros((0, len(picture.shape)))
            inside = np.all((at >= np.array(keep[0]) - 0.5) & (at < np.array(keep[1]) - 0.5), axis=1)
            extents = _extents_at(answer, peaks, stage) if "extents" in answer else None
            parts.append(_by_channel(at, peaks, extents, len(self._plan.names), inside))
        return _joined(parts, len(self._plan.names), len(picture.shape), boxes=self._plan.kind == "boxes")

    # --------------------------------------------------------------------------------------------------- the networks

    def _ask_whole(
        self, stage: StagePlan, pictures: Sequence[AlbumPicture]
    ) -> tuple[list[WindowView], dict[str, Tensor]]:
        """Pictures of one shape, whole."""
        shape = pictures[0].shape
        size = np.ceil(np.array(shape) * np.array(stage.scale)).astype(int)
        stride = np.array(stage.backbone.stride)
        window = tuple((-(-size // stride) * stride).tolist())
        views = [plain_view(window, (np.array(shape) - 1) / 2, stage.scale) for _ in pictures]
        pixels = [window_of(one, self._reader, view, window) for one, view in zip(pictures, views, strict=True)]
        return views, self._ask(stage, torch.stack(pixels))

    def _ask(self, stage: StagePlan, pixels: Tensor) -> dict[str, Tensor]:
        """Maps on the processor: one wait for all of them."""
        ready = pixels if runtime(self._device) is None else pixels.pin_memory()
        with autocast(self._device, self._precision):
            out: dict[str, Tensor] = self._networks[stage.name](lay_out(sent(ready, self._device)))
        return {name: maps.float().cpu() for name, maps in out.items()}


def _peaks_of_things(maps: Tensor, stage: StagePlan, threshold: float, *, exclusive: bool) -> Peaks:
    """Peaks of each class; where a place is of one class, of all together, each of the class strongest there."""
    stride, radius = stage.stride("maps"), _radius(stage)
    if not exclusive:
        return local_peaks(maps, stride, threshold, radius=radius)
    peaks = local_peaks(maps.amax(0, keepdim=True), stride, threshold, radius=radius)
    return Peaks(peaks.at, maps.argmax(0)[_cells_of(peaks, stride, maps.shape[1:])], peaks.score)


def _cells_of(peaks: Peaks, stride: Sequence[int], shape: Sequence[int]) -> tuple[Tensor, ...]:
    """The cells of maps that peaks lie in."""
    step = torch.tensor([float(s) for s in stride])
    cells = torch.round((peaks.at - (step - 1) / 2) / step).long()
    return tuple(cells[:, axis].clamp(0, side - 1) for axis, side in enumerate(shape))


def _radius(stage: StagePlan) -> int:
    """Cells around a peak within which there is no other."""
    return max(1, round(stage.sigma[-1] / stage.stride("maps")[-1]))


def _tiles(
    stage: StagePlan, shape: Sequence[int]
) -> Iterator[tuple[WindowView, tuple[int, ...], tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Views that cover a picture, their shapes, and the part of the picture that each answers for."""
    axes = len(shape)
    core = [_TILE if axes == 2 else _BLOCK] * axes
    margin = [_OVERLAP if axes == 2 else _DEEP_OVERLAP] * axes
    scale, stride = np.array(stage.scale), np.array(stage.backbone.stride)
    counts = [max(1, round(side / size)) for side, size in zip(shape, core, strict=True)]
    for index in np.ndindex(*counts):
        low = np.array([side * i // n for side, i, n in zip(shape, index, counts, strict=True)])
        high = np.array([side * (i + 1) // n for side, i, n in zip(shape, index, counts, strict=True)])
        around_low, around_high = np.maximum(0, low - margin), np.minimum(shape, high + np.array(margin))
        size = np.ceil((around_high - around_low) * scale).astype(int)
        window = tuple((-(-size // stride) * stride).tolist())
        view = plain_view(window, (around_low + around_high - 1) / 2, stage.scale)
        yield view, window, (tuple(low.tolist()), tuple(high.tolist()))


def _one(at: np.ndarray, scores: np.ndarray, threshold: float) -> Found:
    """A single instance from the highest place of each map; none where no node is sure enough."""
    sure = scores >= threshold
    if not sure.any():
        nothing = np.zeros((0, *at.shape))
        return Found(nothing, nothing[..., 0], np.zeros(0))
    at = np.where(sure[:, None], at, np.nan)
    own = np.where(sure, scores, np.nan)
    return Found(at[None], own[None], np.array([np.where(sure, scores, 0).mean()]))


def _grouped(animals: list[dict[int, int]], at: np.ndarray, score: np.ndarray, nodes: int) -> Found:
    places = np.full((len(animals), nodes, 2), np.nan)
    scores = np.full((len(animals), nodes), np.nan)
    for row, own in enumerate(animals):
        for node, peak in own.items():
            places[row, node], scores[row, node] = at[peak], score[peak]
    return Found(places, scores, np.nansum(scores, axis=1) / nodes)


def _by_channel(at: np.ndarray, peaks: Peaks, extents: np.ndarray | None, channels: int, keep: np.ndarray) -> Found:
    """Peaks as instances of one channel each."""
    chosen = np.flatnonzero(keep)
    places = np.full((len(chosen), channels, at.shape[1]), np.nan)
    scores = np.full((len(chosen), channels), np.nan)
    score, channel = peaks.score.numpy(), peaks.channel.numpy()
    places[np.arange(len(chosen)), channel[chosen]] = at[chosen]
    scores[np.arange(len(chosen)), channel[chosen]] = score[chosen]
    return Found(places, scores, score[chosen], None if extents is None else extents[chosen])


def _extents_at(answer: dict[str, Tensor], peaks: Peaks, stage: StagePlan) -> np.ndarray:
    """Half the sides of boxes at peaks, in pixels of the picture."""
    maps = answer["extents"][0]
    cells = _cells_of(peaks, stage.stride("extents"), maps.shape[1:])
    index: tuple[Any, ...] = (slice(None), *cells)
    sides = maps[index].T.numpy()
    return np.asarray(np.maximum(sides, 0.5) / np.array(stage.scale))


def _joined(parts: list[Found], channels: int, axes: int = 2, *, boxes: bool = False) -> Found:
    """Parts as one, surest first."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return Found(
            np.zeros((0, channels, axes)), np.zeros((0, channels)), np.zeros(0), np.zeros((0, axes)) if boxes else None
        )
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    extents = np.concatenate([part.extents for part in parts if part.extents is not None])[order] if boxes else None
    return Found(
        np.concatenate([part.at for part in parts])[order],
        np.concatenate([part.node_scores for part in parts])[order],
        scores[order],
        extents,
    )


def _inside(found: Found, shape: Sequence[int]) -> Found:
    """Without nodes beyond the edge of the picture, and without instances that have no other."""
    last = np.array(shape) - 1
    with np.errstate(invalid="ignore"):
        out = np.any((found.at < -0.5) | (found.at > last + 0.5), axis=2)
    at = np.where(out[..., None], np.nan, np.clip(found.at, 0, last))
    scores = np.where(out, np.nan, found.node_scores)
    keep = ~np.all(np.any(np.isnan(at), axis=2), axis=1)
    return Found(at[keep], scores[keep], found.scores[keep], None if found.extents is None else found.extents[keep])


def _apart(found: Found, close: float) -> Found:
    """Without animals whose nodes all but lie on those of a surer one."""
    keep: list[int] = []
    for row in range(len(found)):
        away = [np.linalg.norm(found.at[row] - found.at[other], axis=1) for other in keep]
        if not any(np.isfinite(one).any() and np.nanmean(one) < close for one in away):
            keep.append(row)
    return Found(found.at[keep], found.node_scores[keep], found.scores[keep])
