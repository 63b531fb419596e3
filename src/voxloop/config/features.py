"""Settings of pixel features, and of the supervoxels that they may describe. Pure."""

from __future__ import annotations

from typing import Literal

from voxloop.config.base import Config, setting

#: settings that switch a kind of feature, in the order in which a bank computes them
FEATURE_KINDS = (
    "gaussian", "log", "gradient", "dog", "hessian", "structure", "deviation", "determinant", "vesselness",
)  # fmt: skip


class FeatureSettings(Config):
    """What is measured about each voxel, or about each supervoxel."""

    channels: tuple[str, ...] = setting(
        (), "channels of the workspace that are learnt from beside the image, by name", group="Features"
    )
    dimensions: Literal["auto", "2d", "3d"] = setting(
        "auto",
        "filters within planes or through the stack; auto: through the stack where voxels are nearly cubic (training "
        "runs), within planes for frames, flat stacks and the live overlay",
        group="Features",
    )
    scales: int = setting(
        5, "how many sigmas, each twice the last; more see wider surroundings", group="Features", ge=1, le=8
    )
    sigmas_um: Literal["auto"] | tuple[float, ...] = setting(
        "auto",
        "sigmas themselves; auto: doubling from 0.8 voxels of the finest in-plane axis",
        group="Features",
        unit="µm",
        advanced=True,
    )
    context: Literal["auto"] | int = setting(
        "auto",
        "with filters within planes: neighbouring slices to either side that are smoothed over; auto: 8, and "
        "none for frames",
        group="Features",
        unit="slices",
    )
    gaussian: bool = setting(True, "smoothed intensity", group="Features")
    log: bool = setting(True, "Laplacian of Gaussian: blobs, bright or dark", group="Features", label="Laplacian")
    gradient: bool = setting(True, "gradient magnitude: edges", group="Features")
    dog: bool = setting(
        True, "difference of Gaussians: blobs and bands", group="Features", label="difference of Gaussians"
    )
    hessian: bool = setting(True, "eigenvalues of the Hessian: sheets and tubes", group="Features")
    structure: bool = setting(
        True, "eigenvalues of the structure tensor: texture", group="Features", label="structure tensor"
    )
    deviation: bool = setting(
        False, "standard deviation around: smooth or rough", group="Features", label="local deviation", advanced=True
    )
    determinant: bool = setting(
        False,
        "determinant of the Hessian: blobs and saddles",
        group="Features",
        label="determinant of the Hessian",
        advanced=True,
    )
    vesselness: bool = setting(
        False, "Frangi's measure of how much like a tube, bright or dark", group="Features", advanced=True
    )

    unit: Literal["voxels", "supervoxels"] = setting(
        "voxels",
        "what is classified: every voxel by itself, or supervoxels, small compact pieces of alike intensity "
        "that are decided as a whole; a stroke then labels every supervoxel that is mostly under it. The live overlay "
        "stays with voxels",
        group="Voxels or supervoxels",
    )
    supervoxel_size: int = setting(
        10,
        "width of a supervoxel, in voxels of the finest in-plane axis and alike in micrometres along the others; "
        "up to a tenth more or less, so that the pieces repeat with the filters' grid",
        group="Voxels or supervoxels",
        unit="voxels",
        ge=3,
        le=64,
        log=True,
        when={"unit": ["supervoxels"]},
    )
    compactness: float = setting(
        20.0,
        "how round supervoxels are: a distance of one supervoxel counts as much as a step of so many percent of "
        "the image's range of intensities; less follows edges, more makes cubes",
        group="Voxels or supervoxels",
        unit="%",
        gt=0,
        le=1000,
        log=True,
        when={"unit": ["supervoxels"]},
    )
    descriptor: Literal["mean", "mean and deviation", "quantised", "textons", "covariance", "sigma set"] = setting(
        "mean",
        "what a supervoxel is known by: the mean of each feature over it; also how much each varies; a "
        "histogram of each; how often each of a few typical textures occurs; how features vary together; that and the "
        "mean. Histograms and what varies together make many numbers of many features",
        group="Voxels or supervoxels",
        when={"unit": ["supervoxels"]},
    )
    bins: int = setting(
        10,
        "bins of a histogram, or typical textures",
        group="Voxels or supervoxels",
        ge=2,
        le=100,
        when={"unit": ["supervoxels"], "descriptor": ["quantised", "textons"]},
    )
    neighbours: int = setting(
        0,
        "also what the supervoxels around are like: 1, those that touch; 2, those beyond as well",
        group="Voxels or supervoxels",
        ge=0,
        le=2,
        when={"unit": ["supervoxels"]},
    )
