"""From settings and labels to the parts of a learner: which maps, at which size, from which windows. Pure numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from voxloop.config.detect import DetectConfig
from voxloop.config.places import PlaceNetworkSettings
from voxloop.config.pose import PoseConfig
from voxloop.deep.pose.backbone import BackboneConfig, MapHead
from voxloop.deep.pose.directions import usual_turn
from voxloop.deep.pose.pictures import Album
from voxloop.errors import ConfigError, LabelError, ModelError

#: width of peaks that are taught, pixels at the size that is looked at
_SIGMA = 2.5
#: an animal is looked for at a size at which it is so many pixels long
_ANIMAL = 24.0
#: crops have so much room around the largest animal: pixels, and share
_ROOM, _MORE = 12, 1.15
#: of larger crops, pixels, nodes are looked for at a smaller size, but not below a quarter
_CROP, _SMALLEST = 128, 0.25
#: of one animal a frame crops are cut where they are less than this share of it
_SMALL = 0.4
#: windows of points and boxes, pixels a side, in frames and in volumes
_WINDOW, _BLOCK = 192, 32
#: of the distances of neighbours this percentile is that of those that lie close together
_CROWDED = 10
#: frames beyond that side are learnt in windows
_LARGEST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePlan:
    """One network of a learner.

    Attributes
    ----------
    name
        ``nodes``, ``animals`` or ``things``.
    scale
        Window pixels a picture pixel, one an axis.
    window
        Shape of what it learns from, in its own pixels.
    sigma, edge_sigma
        Width of peaks (one an axis) and of fields, in its own pixels.
    around
        Whether each window is cut around one animal, whose nodes alone are taught.
    whole
        Whether a window shows a picture whole.
    """

    name: str
    backbone: BackboneConfig
    scale: tuple[float, ...]
    window: tuple[int, ...]
    sigma: tuple[float, ...]
    edge_sigma: float = 0.0
    around: bool = False
    whole: bool = False

    def level(self, head: str) -> int:
        return next(one.level for one in self.backbone.heads if one.name == head)

    def stride(self, head: str) -> tuple[int, ...]:
        """Window pixels from one cell of the maps of a head to the next."""
        return self.backbone.stride_at(self.level(head))

    def cells(self, head: str, window: Sequence[int] | None = None) -> tuple[int, ...]:
        """Shape of the maps of a head."""
        shape = self.window if window is None else window
        return tuple(side // step for side, step in zip(shape, self.stride(head), strict=True))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StagePlan:
        """Raises ModelError where something is missing."""
        try:
            lists = {name: tuple(data[name]) for name in ("scale", "window", "sigma")}
            return cls(**{**data, **lists, "backbone": BackboneConfig.from_json(data["backbone"])})
        except (TypeError, KeyError) as error:
            raise ModelError(f"the plan of this model is not complete: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacePlan:
    """All of what a trained learner of places is, its weights apart."""

    pipeline: str  # single, top-down, bottom-up, detect
    kind: str  # points, boxes
    names: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    mirrored: tuple[int, ...]
    stages: tuple[StagePlan, ...]
    threshold: float
    anchor: int | None = None
    most: int | None = None
    longest: float = 0.0  # picture pixels of the longest labelled edge
    odds: bool = True
    rotation: float | None = None  # degrees, as the settings or the labels say
    why_turned: str = ""
    exclusive: bool = False  # a place is of one class

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PlacePlan:
        """Raises ModelError where something is missing."""
        try:
            stages = tuple(StagePlan.from_json(stage) for stage in data["stages"])
            edges = tuple(tuple(edge) for edge in data["edges"])
            return cls(
                **{
                    **data,
                    "stages": stages,
                    "edges": edges,
                    "names": tuple(data["names"]),
                    "mirrored": tuple(data["mirrored"]),
                }
            )
        except (TypeError, KeyError) as error:
            raise ModelError(f"the plan of this model is not complete: {error}") from error


def plan_of(config: PoseConfig | DetectConfig, album: Album) -> PlacePlan:
    """How places are learned with these settings from these labels. Raises ConfigError, LabelError."""
    return plan_pose(config, album) if isinstance(config, PoseConfig) else plan_detect(config, album)


def plan_pose(config: PoseConfig, album: Album) -> PlacePlan:
    """How animals are learned. Raises ConfigError, LabelError."""
    if album.axes != 2:
        raise LabelError("animals are learned in frames; this image is a volume: use DetectConfig for points in it")
    anchor = _anchor(config, album)
    scale = _node_scale(config, album, anchor)
    crop = _crop(config, album, anchor, scale)
    several = any(len(picture.places) > 1 for picture in album.pictures)
    frame = np.array([picture.shape for picture in album.pictures]).max(0)
    small = crop * crop < _SMALL * float(np.prod(frame)) * scale**2
    pipeline = config.pipeline
    if pipeline == "auto":
        pipeline = "top-down" if several or small else "single"
    if pipeline == "single" and several:
        raise ConfigError("pipeline='single' is for one animal a frame, and some frames hold several; use 'top-down'")
    if pipeline == "bottom-up" and not album.edges:
        raise ConfigError("pipeline='bottom-up' joins nodes along edges, and this skeleton has none; use 'top-down'")
    sigma = _SIGMA if config.sigma == "auto" else float(config.sigma)
    nodes, odds = len(album.names), config.loss == "focal"
    most = config.max_instances
    stages: tuple[StagePlan, ...]
    if pipeline == "top-down":
        if most is None and not several:
            most = 1
        alone = config.of_animals
        head = _head(alone, "maps", 1, odds=odds)
        animals = _stage(alone, album, "animals", _animal_scale(config, album), (head,), config.centroid_sigma or sigma)
        own = _stage(
            config,
            album,
            "nodes",
            scale,
            (_head(config, "maps", nodes, odds=odds),),
            sigma,
            window=(crop, crop),
            around=True,
        )
        stages = (animals, own)
    elif pipeline == "single":
        most = 1
        stages = (_stage(config, album, "nodes", scale, (_head(config, "maps", nodes, odds=odds),), sigma),)
    else:
        fields = MapHead("fields", 2 * len(album.edges), config.edge_stride.bit_length() - 1)
        heads = (_head(config, "maps", nodes, odds=odds), fields)
        stages = (_stage(config, album, "nodes", scale, heads, sigma, edge_sigma=config.edge_sigma),)
    rotation, why = usual_turn([p.places for p in album.pictures]) if config.rotation == "auto" else (None, "")
    return PlacePlan(
        rotation=rotation,
        why_turned=why,
        pipeline=pipeline,
        kind="points",
        names=album.names,
        edges=album.edges,
        mirrored=album.mirrored,
        stages=stages,
        threshold=config.peak_threshold,
        anchor=anchor,
        most=most,
        longest=_longest_edge(album),
        odds=odds,
    )


def plan_detect(config: DetectConfig, album: Album) -> PlacePlan:
    """How points or boxes are learned, ``encoder="auto"`` being the plain U-Net. Raises ConfigError."""
    config = config.changed(encoder="") if config.encoder == "auto" else config
    if config.encoder and album.axes == 3:
        raise ConfigError(f"encoder {config.encoder!r} is of planes, and this image is a volume; leave encoder empty")
    heads = [_head(config, "maps", len(album.names), odds=config.loss == "focal")]
    if album.boxes:
        level = config.output_stride.bit_length() - 1
        heads.append(MapHead("extents", album.axes, level, usual=_usual_extents(album, config.input_scale)))
    sigma = _thing_sigma(config, album)
    side = config.window
    if side == "auto":
        side = _WINDOW if album.axes == 2 else _BLOCK
    stage = _stage(config, album, "things", config.input_scale, tuple(heads), sigma, window=(int(side),) * album.axes)
    return PlacePlan(
        pipeline="detect",
        kind=album.kind,
        names=album.names,
        edges=(),
        mirrored=tuple(range(len(album.names))),
        stages=(stage,),
        threshold=0.3 if config.peak_threshold == "auto" else float(config.peak_threshold),
        odds=config.loss == "focal",
        exclusive=config.loss == "focal" and config.class_weight > 0 and _apart(album, sigma / config.input_scale),
    )


def _apart(album: Album, sigma: float) -> bool:
    """Whether there are several classes, and no labelled places of two of them lie within a peak of each other."""
    from scipy.spatial import cKDTree

    if len(album.names) < 2 or album.axes == 3:
        return False
    for picture in album.pictures:
        middles = picture.places.middles()
        of = np.argmax(~np.isnan(picture.places.at[..., 0]), axis=1) if len(middles) else np.zeros(0, int)
        if any(of[a] != of[b] for a, b in cKDTree(middles).query_pairs(sigma)) if len(middles) > 1 else False:
            return False
    return True


def _stage(
    network: PlaceNetworkSettings,
    album: Album,
    name: str,
    scale: float,
    heads: tuple[MapHead, ...],
    sigma: float,
    *,
    window: tuple[int, ...] | None = None,
    around: bool = False,
    edge_sigma: float = 0.0,
) -> StagePlan:
    """A network and its windows; without ``window`` it looks at pictures whole, up to a size."""
    levels = network.max_stride.bit_length() - 1
    halvings = tuple(_halvings(album, levels))
    backbone = BackboneConfig(
        channels=album.channels,
        heads=heads,
        halvings=halvings,
        filters=network.filters,
        rate=network.filters_rate,
        normalisation=network.normalisation,
        encoder=network.encoder,
    )
    largest = np.array([picture.shape for picture in album.pictures]).max(0) * scale
    whole = window is None and float(max(largest)) <= _LARGEST
    wanted = np.minimum(largest, _LARGEST) if window is None else np.array(window, float)
    if window is not None and not around:
        wanted = np.minimum(wanted, largest)
    stride = np.array(backbone.stride)
    size = np.maximum(1, np.ceil(wanted / stride)).astype(int) * stride
    thin = album.spacing_um[0] / album.spacing_um[1] if album.axes == 3 else 1.0
    widths = (max(0.7, sigma / thin), sigma, sigma) if album.axes == 3 else (sigma, sigma)
    return StagePlan(
        name=name,
        backbone=backbone,
        scale=(1.0, scale, scale) if album.axes == 3 else (scale, scale),
        window=tuple(size.tolist()),
        sigma=widths,
        edge_sigma=edge_sigma,
        around=around,
        whole=whole,
    )


def _halvings(album: Album, levels: int) -> list[tuple[int, ...]]:
    """What each level is smaller than the one before: in volumes z is not halved before its voxels are as thick."""
    if album.axes == 2:
        return [(2, 2)] * levels
    thick = album.spacing_um[0] / album.spacing_um[1]
    shallow = min(picture.shape[0] for picture in album.pictures)
    out: list[tuple[int, ...]] = []
    deep = 1
    for level in range(levels):
        halve = 2 ** (level + 1) >= 1.5 * thick * deep and shallow >= 8 * deep
        deep *= 2 if halve else 1
        out.append((2 if halve else 1, 2, 2))
    return out


def _head(network: PlaceNetworkSettings, name: str, channels: int, *, odds: bool) -> MapHead:
    return MapHead(name, channels, network.output_stride.bit_length() - 1, odds=odds)


def _anchor(config: PoseConfig, album: Album) -> int | None:
    if config.anchor is None:
        return None
    if config.anchor not in album.names:
        raise ConfigError(f"anchor={config.anchor!r} is no node; use {', '.join(album.names)}")
    return album.names.index(config.anchor)


def _crop(config: PoseConfig, album: Album, anchor: int | None, scale: float) -> int:
    """Side of the crop around an animal, at the size that is looked at, a multiple of the stride."""
    side = float(config.crop_size) if config.crop_size != "auto" else _extent(album, anchor) * scale + 2 * _ROOM
    return max(2, math.ceil(side / config.max_stride)) * config.max_stride


def _node_scale(config: PoseConfig, album: Album, anchor: int | None) -> float:
    """The size at which nodes are looked for: full, unless animals are so large that few steps fit into minutes."""
    if config.input_scale != "auto":
        return float(config.input_scale)
    extent = _extent(album, anchor)
    if config.crop_size != "auto" or extent + 2 * _ROOM <= _CROP:
        return 1.0
    return max(_SMALLEST, math.floor(100 * (_CROP - 2 * _ROOM) / extent) / 100)


def _extent(album: Album, anchor: int | None) -> float:
    """Pixels that the largest labelled animal fills however it turns about its middle, and some more."""
    reach = 0.0
    for picture in album.pictures:
        middles = picture.places.middles(anchor)
        if len(middles):
            away = np.linalg.norm(picture.places.at - middles[:, None], axis=2)
            reach = max(reach, float(np.nanmax(away)))
    return 2 * reach * _MORE


def _animal_scale(config: PoseConfig, album: Album) -> float:
    """The size at which animals are looked for."""
    if config.centroid_scale != "auto":
        return float(config.centroid_scale)
    lengths = []
    for picture in album.pictures:
        at = picture.places.at
        if len(at):
            sides = np.nanmax(at, axis=1) - np.nanmin(at, axis=1)
            lengths += np.linalg.norm(sides, axis=1).tolist()
    length = float(np.median(lengths)) if lengths else 0.0
    return float(np.clip(_ANIMAL / max(length, 1.0), 0.125, 1.0))


def _longest_edge(album: Album) -> float:
    longest = 0.0
    for picture in album.pictures:
        for first, second in album.edges:
            lengths = np.linalg.norm(picture.places.at[:, first] - picture.places.at[:, second], axis=1)
            lengths = lengths[~np.isnan(lengths)]
            longest = max(longest, float(lengths.max())) if len(lengths) else longest
    return longest


def _usual_extents(album: Album, scale: float) -> tuple[float, ...]:
    """Half the sides of the median box, one an axis, in pixels of the size that is looked at."""
    known = [picture.places.extents for picture in album.pictures if picture.places.extents is not None]
    scales = (1.0, scale, scale) if album.axes == 3 else (scale, scale)
    usual = np.median(np.concatenate(known), axis=0) * np.array(scales)
    return tuple(np.maximum(usual, 0.5).tolist())


def _thing_sigma(config: DetectConfig, album: Album) -> float:
    """A quarter of the distance of neighbours where they crowd, so that the peaks of those that touch stand apart."""
    if config.sigma != "auto":
        return float(config.sigma)
    from scipy.spatial import cKDTree

    spacing = np.array(album.spacing_um[-album.axes :]) / album.spacing_um[-1]
    apart: list[float] = []
    for picture in album.pictures:
        middles = picture.places.middles() * spacing * config.input_scale
        if len(middles) > 1:
            distances, _ = cKDTree(middles).query(middles, k=2)
            apart += distances[:, 1].tolist()
    crowded = float(np.percentile(apart, _CROWDED)) if apart else 4 * _SIGMA
    return float(np.clip(crowded / 4, 1.5, 4.0))
