"""The filters by name: what each does, its settings, how far it looks. Computes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from voxloop.channels import derivatives, local, morphology, points, scale_space, smoothing, texture
from voxloop.channels.grid import FilterGrid
from voxloop.channels.neighbourhoods import ball_reach, box_reach
from voxloop.config import channels as config
from voxloop.errors import ConfigError, unknown
from voxloop.geometry import Shape

Group = Literal["Smooth", "Around", "Edges and blobs", "Texture", "Shape", "Intensity", "Two channels"]
#: blocks (z, y, x) float32, one a source, to one of the same shape
Compute = Callable[[Sequence[np.ndarray], FilterGrid, Any], np.ndarray]
Reach = Callable[[FilterGrid, Any], Shape]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterKind:
    """A filter.

    Attributes
    ----------
    name : by which it is asked for.
    group : under which it is listed.
    about : what comes out, in a sentence.
    settings : class of its settings.
    compute : mirrors blocks at their faces.
    reach : voxels zyx to one side that a voxel of the result depends on.
    sources : how many channels it takes.
    whole_planes : whether it needs planes uncut.
    """

    name: str
    group: Group
    about: str
    settings: type[config.ChannelSettings]
    compute: Compute
    reach: Reach
    sources: int = 1
    whole_planes: bool = False

    @property
    def measures(self) -> bool:
        """Whether its settings hold the mean and deviation of the source."""
        return issubclass(self.settings, config.MeasuredSettings)


def filter_named(name: object) -> FilterKind:
    """The filter of a name. Raises ConfigError with those there are."""
    if not isinstance(name, str) or name not in FILTERS:
        raise ConfigError(unknown("filter", name, FILTERS))
    return FILTERS[name]


def has_limits(name: object) -> bool:
    """Whether a filter looks for a range of intensities: ``low`` and ``high`` are settings of its own."""
    return issubclass(filter_named(name).settings, config.ThresholdSettings)


def _of_one(function: Callable[[np.ndarray, FilterGrid, Any], np.ndarray]) -> Compute:
    return lambda blocks, grid, settings: function(blocks[0], grid, settings)


def _of_two(function: Callable[[np.ndarray, np.ndarray, Any], np.ndarray]) -> Compute:
    return lambda blocks, grid, settings: function(blocks[0], blocks[1], settings)


def _sigma(grid: FilterGrid, settings: Any) -> Shape:
    return derivatives.sigma_reach(grid, config.settled(settings.sigma_um))


#: name, group, what comes out, settings, function, reach
_SINGLE: Sequence[tuple[str, Group, str, Any, Any, Reach]] = (
    ("gaussian", "Smooth", "weighted mean of what is around", config.SigmaSettings, smoothing.gaussian, _sigma),
    ("median", "Smooth", "middle intensity in a ball: specks go, edges stay", config.BallSettings, smoothing.median,
     ball_reach),
    ("total_variation", "Smooth", "even areas with sharp edges (Chambolle)", config.TotalVariationSettings,
     smoothing.total_variation, smoothing.total_variation_reach),
    ("bilateral", "Smooth", "mean of what is near in space and in intensity", config.BilateralSettings,
     smoothing.bilateral, smoothing.bilateral_reach),
    ("non_local_means", "Smooth", "mean of voxels whose surroundings look alike; slow", config.PatchSettings,
     smoothing.non_local_means, smoothing.non_local_means_reach),
    ("local_mean", "Around", "mean over a box", config.RadiusSettings, local.local_mean, box_reach),
    ("local_deviation", "Around", "standard deviation over a box", config.RadiusSettings, local.local_deviation,
     box_reach),
    ("local_centre", "Around", "intensity less the mean over a box", config.RadiusSettings, local.local_centre,
     box_reach),
    ("local_normalise", "Around", "intensity less the mean over a box, in its standard deviations",
     config.RadiusSettings, local.local_normalise, box_reach),
    ("local_gradient", "Around", "how steep the mean over a box is", config.RadiusSettings, local.local_gradient,
     local.local_gradient_reach),
    ("gaussian_centre", "Around", "intensity less the weighted mean around", config.SigmaSettings,
     local.gaussian_centre, _sigma),
    ("gaussian_normalise", "Around", "intensity less the weighted mean around, in standard deviations",
     config.SigmaSettings, local.gaussian_normalise, _sigma),
    ("gradient", "Edges and blobs", "how steep intensities are", config.SigmaSettings, derivatives.gradient, _sigma),
    ("log", "Edges and blobs", "Laplacian of Gaussian: negative on bright blobs", config.SigmaSettings,
     derivatives.laplacian, _sigma),
    ("dog", "Edges and blobs", "difference of Gaussians: positive on what is brighter than around",
     config.DifferenceSettings, derivatives.difference, derivatives.difference_reach),
    ("determinant", "Edges and blobs", "determinant of the Hessian: blobs and saddles", config.SigmaSettings,
     derivatives.determinant, _sigma),
    ("hessian", "Edges and blobs", "eigenvalue of the Hessian: sheets and tubes", config.EigenvalueSettings,
     derivatives.curvature, _sigma),
    ("structure", "Edges and blobs", "root of an eigenvalue of the structure tensor: edges and their directions",
     config.StructureSettings, derivatives.structure, derivatives.structure_reach),
    ("structure_determinant", "Edges and blobs", "root of the determinant of the structure tensor: corners",
     config.StructureSettings, derivatives.structure_determinant, derivatives.structure_reach),
    ("frangi", "Edges and blobs", "how much like a tube, 0 to 1 bright, 0 to -1 dark", config.TubeSettings,
     derivatives.tubes, _sigma),
    ("scale_space", "Edges and blobs", "one of these at several scales", config.ScaleSpaceSettings,
     scale_space.scale_space, scale_space.scale_space_reach),
    ("gabor", "Texture", "how strong stripes of one width are", config.GaborSettings, texture.gabor,
     texture.gabor_reach),
    ("gaussian_deviation", "Texture", "weighted standard deviation around: smooth or rough", config.SigmaSettings,
     local.gaussian_deviation, _sigma),
    ("wavelet", "Texture", "detail of one size", config.WaveletSettings, texture.wavelet, texture.wavelet_reach),
    ("erode", "Shape", "smallest intensity in a ball", config.BallSettings, morphology.erode, ball_reach),
    ("dilate", "Shape", "largest intensity in a ball", config.BallSettings, morphology.dilate, ball_reach),
    ("open", "Shape", "without what is bright and smaller than a ball", config.BallSettings, morphology.opened,
     morphology.twice_reach),
    ("close", "Shape", "without what is dark and smaller than a ball", config.BallSettings, morphology.closed,
     morphology.twice_reach),
    ("top_hat", "Shape", "what is bright and smaller than a ball", config.BallSettings, morphology.top_hat,
     morphology.twice_reach),
    ("bottom_hat", "Shape", "what is dark and smaller than a ball", config.BallSettings, morphology.bottom_hat,
     morphology.twice_reach),
    ("distance", "Shape", "micrometres to the border of a range of intensities", config.DistanceSettings,
     morphology.distance, morphology.distance_reach),
    ("threshold", "Intensity", "1 in a range of intensities, 0 out of it", config.ThresholdSettings, points.threshold,
     points.nowhere),
    ("zscore", "Intensity", "intensity in standard deviations from the mean of the source", config.MeasuredSettings,
     points.standardise, points.nowhere),
    ("invert", "Intensity", "dark for bright", config.MeasuredSettings, points.invert, points.nowhere),
    ("relu", "Intensity", "what is above zero", config.RectifySettings, points.rectify, points.nowhere),
)  # fmt: skip

_ALL: Sequence[FilterKind] = (
    *(
        FilterKind(name=name, group=group, about=about, settings=kind, compute=_of_one(function), reach=reach)
        for name, group, about, kind, function, reach in _SINGLE
    ),
    FilterKind(
        name="clahe",
        group="Intensity",
        about="contrast evened out within each plane (CLAHE)",
        settings=config.EqualiseSettings,
        compute=_of_one(points.equalise),
        reach=points.nowhere,
        whole_planes=True,
    ),
    FilterKind(
        name="difference",
        group="Two channels",
        about="one channel less another",
        settings=config.ChannelSettings,
        compute=_of_two(points.less),
        reach=points.nowhere,
        sources=2,
    ),
    FilterKind(
        name="ratio",
        group="Two channels",
        about="one channel divided by another",
        settings=config.ChannelSettings,
        compute=_of_two(points.ratio),
        reach=points.nowhere,
        sources=2,
    ),
)
#: all filters by name
FILTERS: Mapping[str, FilterKind] = {kind.name: kind for kind in _ALL}
