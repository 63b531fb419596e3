"""The windows that a network of places learns from, and how far its maps are from what they should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxloop.config.places import PlaceSettings
from voxloop.deep.pose.maps import affinity_fields, confidence_maps, extent_maps
from voxloop.deep.pose.pictures import AlbumPicture, Placed, Reader
from voxloop.deep.pose.plan import PlacePlan, StagePlan
from voxloop.deep.pose.variation import WindowView, look, plain_view, varied_view, vary_grays
from voxloop.deep.transfer import sent

#: share of windows of points and boxes that are cut around one of them
_NEAR = 0.8
#: how much the sizes of boxes count against maps: their error as a share
_EXTENT_WEIGHT = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Windows of one stage, and what their maps should be.

    Attributes
    ----------
    pixels
        (n, c, *window) normalised.
    maps
        (n, channel, *cells).
    fields
        (n, 2 * edge, *cells), or None.
    extents, measured
        (n, axis, *cells) and (n, *cells) bool, or None.
    alone
        Whether a map holds one place at most, as around one animal.
    """

    pixels: Tensor
    maps: Tensor
    fields: Tensor | None = None
    extents: Tensor | None = None
    measured: Tensor | None = None
    alone: bool = False

    def to(self, device: torch.device) -> Lesson:
        """On a device, which copies while it computes where the lesson is :meth:`pinned`."""
        return self._each(lambda part: sent(part, device))

    def pinned(self) -> Lesson:
        """In memory from which a GPU can copy while others compute."""
        return self._each(torch.Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Lesson:
        parts = (self.pixels, self.maps, self.fields, self.extents, self.measured)
        moved = (None if part is None else change(part) for part in parts)
        return Lesson(*moved, alone=self.alone)  # type: ignore[arg-type, misc]


class Teacher:
    """Cuts the windows of one stage. Which ones is a function of seed and number alone.

    Parameters
    ----------
    pictures
        That are learnt from.
    number
        Of the stage, so that stages draw differently.
    """

    def __init__(
        self,
        plan: PlacePlan,
        stage: StagePlan,
        pictures: Sequence[AlbumPicture],
        reader: Reader,
        config: PlaceSettings,
        number: int,
    ) -> None:
        self._plan, self._stage, self._reader = plan, stage, reader
        self._config = config if plan.rotation is None else config.changed(rotation=plan.rotation)
        self._pictures, self._number = pictures, number
        self._full = [index for index, picture in enumerate(pictures) if len(picture.places)]
        self._animals = [(i, j) for i, picture in enumerate(pictures) for j in range(len(picture.places))]

    def lesson(self, step: int, count: int) -> Lesson:
        """The windows of a step."""
        return join([self.drawn(step * count + i) for i in range(count)])

    def examples(self, pictures: Sequence[AlbumPicture]) -> list[Lesson]:
        """Windows of pictures as they are, one each (of each animal where windows are cut around them)."""
        out = []
        for picture in pictures:
            if self._stage.around:
                middles = picture.places.middles(self._plan.anchor)
                out += [self._cut(picture, self._plain(at), own, None) for own, at in enumerate(middles)]
                continue
            out += [self._cut(picture, view, None, None) for view in self._plain_views(picture)]
        return out

    def drawn(self, index: int) -> Lesson:
        """One window, the ``index``-th of the training."""
        rng = np.random.default_rng((self._config.seed, self._number, index))
        stage = self._stage
        if stage.around:
            number, own = self._animals[int(rng.integers(len(self._animals)))]
            picture = self._pictures[number]
            at = picture.places.middles(self._plan.anchor)[own]
            view = varied_view(self._config, rng, stage.window, at, stage.scale)
            return self._cut(picture, view, own, rng)
        near = rng.random() < _NEAR and bool(self._full)
        choice = self._full if near and not stage.whole else range(len(self._pictures))
        picture = self._pictures[choice[int(rng.integers(len(choice)))]]
        at = self._somewhere(picture, rng, near=near)
        # how large the box of a thing is that was turned otherwise nobody knows
        quarters = self._plan.kind == "boxes"
        view = varied_view(self._config, rng, stage.window, at, stage.scale, quarters=quarters)
        return self._cut(picture, view, None, rng)

    def _somewhere(self, picture: AlbumPicture, rng: np.random.Generator, *, near: bool) -> np.ndarray:
        """What of a picture the middle of a window shows."""
        if self._stage.whole:
            return (np.array(picture.shape) - 1) / 2
        half = np.array(self._stage.window) / np.array(self._stage.scale) / 2
        if near:
            middles = picture.places.middles()
            at = middles[int(rng.integers(len(middles)))] + rng.uniform(-0.8, 0.8, len(half)) * half
        else:
            at = rng.uniform(0, 1, len(half)) * np.array(picture.shape)
        high = np.array(picture.shape) - 1 - half
        return np.asarray(np.clip(at, np.minimum(half, high), np.maximum(half, high)))

    def _plain(self, at: np.ndarray) -> WindowView:
        return plain_view(self._stage.window, at, self._stage.scale)

    def _plain_views(self, picture: AlbumPicture) -> list[WindowView]:
        """Windows that cover what is labelled: the whole picture, or some around its places."""
        middle = (np.array(picture.shape) - 1) / 2
        if self._stage.whole or not len(picture.places):
            return [self._plain(middle)]
        half = np.array(self._stage.window) / np.array(self._stage.scale) / 2
        high = np.array(picture.shape) - 1 - half
        middles = picture.places.middles()
        chosen = middles[:: max(1, len(middles) // 4)][:4]
        return [self._plain(np.clip(at, np.minimum(half, high), np.maximum(half, high))) for at in chosen]

    def _cut(self, picture: AlbumPicture, view: WindowView, own: int | None, rng: np.random.Generator | None) -> Lesson:
        pixels = window_of(picture, self._reader, view, self._stage.window)
        if rng is not None:
            pixels = vary_grays(self._config, rng, pixels)
        return self._taught(pixels, picture.places, view, own)

    def _taught(self, pixels: Tensor, places: Placed, view: WindowView, own: int | None) -> Lesson:
        plan, stage = self._plan, self._stage
        at = places.at if own is None else places.at[own : own + 1]
        if stage.name == "animals":
            at = places.middles(plan.anchor)[:, None]
        elif view.mirrored:
            at = at[:, list(plan.mirrored)]
        shown = torch.from_numpy(view.on_window(at)).float()
        maps = confidence_maps(shown, stage.cells("maps"), stage.stride("maps"), stage.sigma)
        fields = extents = measured = None
        if any(head.name == "fields" for head in stage.backbone.heads):
            fields = affinity_fields(shown, plan.edges, stage.cells("fields"), stage.stride("fields"), stage.edge_sigma)
        if any(head.name == "extents" for head in stage.backbone.heads):
            assert places.extents is not None
            sides = torch.from_numpy(places.extents @ np.abs(np.linalg.inv(view.matrix)).T).float()
            extents, measured = extent_maps(shown, sides, stage.cells("extents"), stage.stride("extents"))
        return Lesson(
            pixels[None],
            maps[None],
            None if fields is None else fields[None],
            None if extents is None else extents[None],
            None if measured is None else measured[None],
            alone=own is not None or plan.most == 1,
        )


def window_of(picture: AlbumPicture, reader: Reader, view: WindowView, shape: Sequence[int]) -> Tensor:
    """What a window shows of a picture (c, *shape), normalised; only what it shows is read."""
    corners = np.array(np.meshgrid(*[(0, side - 1) for side in shape], indexing="ij")).reshape(len(shape), -1).T
    seen = view.on_picture(corners)
    spans = np.ceil(np.abs(view.matrix).sum(1)).astype(int) + 1
    low = np.clip(np.floor(seen.min(0)).astype(int) - spans, 0, picture.shape)
    high = np.clip(np.ceil(seen.max(0)).astype(int) + spans + 1, 0, picture.shape)
    if picture.whole and np.prod(high - low) > 0.5 * np.prod(picture.shape):
        low, high = np.zeros_like(low), np.array(picture.shape)
    if (high <= low).any():
        return torch.zeros(reader.channels, *shape)
    part = torch.from_numpy(reader.read(picture, low.tolist(), high.tolist()))
    moved = WindowView(view.matrix, view.middle, view.at - low, view.mirrored)
    return look(part, moved, shape)


def join(lessons: Sequence[Lesson]) -> Lesson:
    """Windows of one shape as a batch."""

    def together(name: str) -> Tensor | None:
        parts = [getattr(lesson, name) for lesson in lessons]
        return None if parts[0] is None else torch.cat(parts)

    parts = (together(name) for name in ("pixels", "maps", "fields", "extents", "measured"))
    return Lesson(*parts, alone=lessons[0].alone)  # type: ignore[arg-type, misc]


class MapLoss:
    """How far the maps of a stage are from what they should be; a number a batch, for each map too."""

    def __init__(self, config: PlaceSettings, *, exclusive: bool = False) -> None:
        self._class_weight = float(getattr(config, "class_weight", 0.0)) if exclusive else 0.0
        self._odds = config.loss == "focal"
        self._place_weight = float(getattr(config, "place_weight", 0.0)) if self._odds else 0.0
        self._edge_weight = float(getattr(config, "edge_weight", 1.0))
        self._mining = bool(getattr(config, "hard_nodes", False))
        self._ratio = float(getattr(config, "hard_ratio", 2.0))
        self._hard = float(getattr(config, "hard_weight", 5.0))

    def __call__(self, answer: dict[str, Tensor], lesson: Lesson) -> Tensor:
        each = self._of_maps(answer["maps"].float(), lesson.maps)
        if lesson.alone and self._place_weight:
            each = each + self._place_weight * _misplaced(answer["maps"].float(), lesson.maps)
        loss = self._mined(each).mean()
        if self._class_weight and self._odds:
            loss = loss + self._class_weight * _confused(answer["maps"].float(), lesson.maps)
        if lesson.fields is not None:
            loss = loss + self._edge_weight * _scaled_square(answer["fields"].float(), lesson.fields)
        if lesson.extents is not None and lesson.measured is not None:
            away = ((answer["extents"].float() - lesson.extents).abs() / lesson.extents.clamp_min(1)).mean(1)
            taught = lesson.measured.to(away.dtype)
            loss = loss + _EXTENT_WEIGHT * (away * taught).sum() / taught.sum().clamp_min(1)
        return loss

    def _of_maps(self, answer: Tensor, wanted: Tensor) -> Tensor:
        """(channel,): of each map over the batch, so that the size of windows and the number of peaks cancel."""
        space = tuple(range(2, wanted.ndim))
        if self._odds:
            away = (torch.sigmoid(answer) - wanted) ** 2
            cells = away * F.binary_cross_entropy_with_logits(answer, wanted, reduction="none")
        else:
            cells = (answer - wanted) ** 2
        peaks = wanted.sum(dim=(0, *space))
        return cells.sum(dim=(0, *space)) / peaks.clamp_min(1)

    def _mined(self, each: Tensor) -> Tensor:
        """Nodes that are far off count more (online hard keypoint mining)."""
        if not self._mining or len(each) < 3:
            return each
        hard = each > self._ratio * each.min()
        return torch.where(hard, self._hard * each, each)


def probabilities(logits: Tensor, *, odds: bool) -> Tensor:
    """Maps from 0 to about 1."""
    return torch.sigmoid(logits.float()) if odds else logits.float().clamp(0, 1)


def _misplaced(answer: Tensor, wanted: Tensor) -> Tensor:
    """(channel,): how far the shares of the cells of each map are from where its one place is (Kullback, Leibler).

    Cells compete for it, so that where it is is learned before how sure it is. Maps without a place do not count.
    """
    shares = wanted.flatten(2)
    there = shares.sum(2) > 0
    shares = shares / shares.sum(2, keepdim=True).clamp_min(1e-6)
    away = F.kl_div(F.log_softmax(answer.flatten(2), 2), shares, reduction="none").sum(2)
    return (away * there).sum(0) / there.sum(0).clamp_min(1)


def _confused(answer: Tensor, wanted: Tensor) -> Tensor:
    """How little the classes of cells that belong to a place are told apart: cross entropy, peaks counting most."""
    strong = wanted.amax(1)
    shares = wanted / wanted.sum(1, keepdim=True).clamp_min(1e-6)
    away = -(shares * F.log_softmax(answer, 1)).sum(1)
    return (away * strong).sum() / strong.sum().clamp_min(1)


def _scaled_square(answer: Tensor, wanted: Tensor) -> Tensor:
    return ((answer - wanted) ** 2).sum() / (wanted**2).sum().clamp_min(1)
