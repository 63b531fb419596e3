"""Settings of the learner of animals: nodes of a skeleton, of one animal or of several. Pure."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from voxloop.config.base import setting
from voxloop.config.places import (
    PlaceNetworkSettings,
    PlaceSettings,
    auto_or_positive,
    auto_or_side,
    power_of_two,
)
from voxloop.errors import ConfigError

Pipeline = Literal["auto", "single", "top-down", "bottom-up"]


class PoseConfig(PlaceSettings):
    """A network that finds the nodes of animals in frames, learned from the frames where a person placed them.

    A frame counts as labelled where it holds an animal that a person placed (or is said to be empty); all animals in it
    are then taken to be labelled.

    Examples
    --------
    >>> vl.PoseConfig(epochs=10).code()
    'vl.PoseConfig(epochs=10)'
    """

    pipeline: Pipeline = setting(
        "auto",
        "single: one animal a frame; top-down: find animals, then the nodes in a crop around each; bottom-up: all "
        "nodes at once, joined along edges; auto: single where one animal fills the frame, else top-down",
        group="Pipeline",
    )
    anchor: str | None = setting(
        None,
        "node that stands for the animal, around which crops are cut; empty: the middle of its nodes",
        group="Pipeline",
        when={"pipeline": ["auto", "top-down"]},
    )
    crop_size: int | str = setting(
        "auto",
        "side of the crop around an animal; auto: from the largest labelled one, with room to turn",
        group="Pipeline",
        unit="pixels",
        when={"pipeline": ["auto", "top-down"]},
    )
    max_instances: int | None = setting(
        None, "most animals in a frame; empty: any number", group="Pipeline", ge=1, le=1000, label="most animals"
    )
    input_scale: float | str = setting(
        "auto",
        "size at which nodes are looked for; kept in the model; auto: full, or less where an animal with room to turn "
        "would fill more than 128 pixels",
        group="Maps",
        unit="times",
    )
    centroid_scale: float | str = setting(
        "auto",
        "size at which animals are looked for (top-down); auto: where they are about 24 pixels long",
        group="Maps",
        unit="times",
        when={"pipeline": ["auto", "top-down"]},
    )
    sigma: float | str = setting(
        "auto",
        "width of the peaks that are taught, at the size that is looked at; auto: 2.5",
        group="Maps",
        unit="pixels",
    )
    centroid_sigma: float | None = setting(
        None,
        "width of the peaks of whole animals, at the size at which these are looked for; empty: that of nodes",
        group="Maps",
        unit="pixels",
        gt=0,
        le=100,
        advanced=True,
        when={"pipeline": ["auto", "top-down"]},
    )
    centroid_filters: int | None = setting(
        8,
        "channels at full resolution of the network that finds animals, which has less to tell; empty: as of that for "
        "nodes",
        group="Network",
        ge=2,
        le=512,
        advanced=True,
        when={"pipeline": ["auto", "top-down"]},
    )
    centroid_filters_rate: float | None = setting(
        None,
        "times as many channels at each halving there; empty: as in that for nodes",
        group="Network",
        unit="times",
        ge=1,
        le=4,
        step=0.25,
        advanced=True,
        when={"pipeline": ["auto", "top-down"]},
    )
    centroid_max_stride: int | None = setting(
        None,
        "pixels of the coarsest cells there, a power of 2; empty: as in that for nodes",
        group="Network",
        unit="pixels",
        ge=2,
        le=128,
        advanced=True,
        when={"pipeline": ["auto", "top-down"]},
    )
    centroid_output_stride: int | None = setting(
        None,
        "pixels of one cell of its maps, a power of 2; empty: as in that for nodes",
        group="Network",
        unit="pixels",
        ge=1,
        le=64,
        advanced=True,
        when={"pipeline": ["auto", "top-down"]},
    )
    edge_sigma: float = setting(
        15.0,
        "width of the fields along edges (bottom-up)",
        group="Maps",
        unit="pixels",
        gt=0,
        le=500,
        when={"pipeline": ["bottom-up"]},
    )
    edge_stride: int = setting(
        4,
        "pixels that one cell of these fields stands for, a power of 2",
        group="Maps",
        unit="pixels",
        ge=1,
        le=64,
        advanced=True,
        when={"pipeline": ["bottom-up"]},
    )
    edge_weight: float = setting(
        1.0,
        "how much the fields count beside the maps",
        group="Maps",
        ge=0,
        le=100,
        advanced=True,
        when={"pipeline": ["bottom-up"]},
    )
    place_weight: float = setting(
        1.0,
        "how much it counts that the cells of a map compete for its one place (single, top-down; loss focal): where a "
        "node is is learned before how sure that is; 0: not at all",
        group="Maps",
        ge=0,
        le=100,
        advanced=True,
    )
    hard_nodes: bool = setting(
        False, "nodes that are far off count more (online hard keypoint mining)", group="Maps", advanced=True
    )
    hard_ratio: float = setting(
        2.0,
        "a node is hard where its loss is so many times that of the easiest",
        group="Maps",
        unit="times",
        ge=1,
        le=100,
        advanced=True,
        when={"hard_nodes": ["True"]},
    )
    hard_weight: float = setting(
        5.0,
        "how much hard nodes count",
        group="Maps",
        unit="times",
        ge=1,
        le=100,
        advanced=True,
        when={"hard_nodes": ["True"]},
    )
    rotation: float | str = setting(
        "auto",
        "largest rotation either way; 180: any direction; auto: as far as the labelled animals lie apart in direction",
        group="Augmentation",
        unit="degrees",
    )
    peak_threshold: float = setting(0.2, "peaks below this are no nodes", group="Prediction", ge=0, le=1, step=0.05)

    @field_validator("crop_size", mode="before")
    @classmethod
    def _crop(cls, value: Any) -> Any:
        return auto_or_side(value)

    @field_validator("centroid_scale", mode="before")
    @classmethod
    def _scale(cls, value: Any) -> Any:
        value = auto_or_positive(value)
        if value != "auto" and not 0.05 <= value <= 2:
            raise ConfigError(f"{value}; use 'auto' or 0.05 to 2")
        return value

    @field_validator("centroid_max_stride", "centroid_output_stride")
    @classmethod
    def _powers(cls, value: int | None) -> int | None:
        return None if value is None else power_of_two(value)

    @field_validator("input_scale", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        value = auto_or_positive(value)
        if value != "auto" and not 0.1 <= value <= 2:
            raise ConfigError(f"{value}; use 'auto' or 0.1 to 2")
        return value

    @field_validator("sigma", mode="before")
    @classmethod
    def _sigma(cls, value: Any) -> Any:
        return auto_or_positive(value)

    @model_validator(mode="after")
    def _strides(self) -> PoseConfig:
        if self.output_stride > self.max_stride:
            raise ConfigError(
                f"output_stride {self.output_stride} is coarser than max_stride {self.max_stride}; use at most that"
            )
        if self.of_animals.output_stride > self.of_animals.max_stride:
            raise ConfigError(
                f"centroid_output_stride {self.of_animals.output_stride} is coarser than "
                f"{self.of_animals.max_stride}, the coarsest cells there; use at most that"
            )
        if self.edge_stride & (self.edge_stride - 1) or self.edge_stride > self.max_stride:
            raise ConfigError(f"edge_stride {self.edge_stride}; use a power of 2, at most max_stride {self.max_stride}")
        return self

    @property
    def of_animals(self) -> PlaceNetworkSettings:
        """The network that finds animals, before their nodes are looked for (top-down)."""
        own = {name: getattr(self, name) for name in PlaceNetworkSettings.model_fields}
        for name in ("filters", "filters_rate", "max_stride", "output_stride"):
            other = getattr(self, f"centroid_{name}")
            own[name] = own[name] if other is None else other
        return PlaceNetworkSettings(**own)
