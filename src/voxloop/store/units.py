"""What an edit is made of: single voxels, or whole supervoxels. Knows no learner; supervoxels are a room above."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from voxloop.config.supervoxels import SupervoxelConfig
from voxloop.errors import ConfigError, LabelError, unknown
from voxloop.geometry import Box
from voxloop.given import shown
from voxloop.model import resolve

if TYPE_CHECKING:
    from voxloop.store.label_setting import LabelSetting
    from voxloop.store.workspace import Store

Unit = Literal["voxels", "supervoxels"]
UNITS: tuple[Unit, ...] = get_args(Unit)
Masks = list[tuple[Box, np.ndarray]]

#: found by name: supervoxels are made of channels, which are a room above this one
_PARTITION = "voxloop.supervoxels.opening:open_partition"


class Units(ABC):
    """Makes masks larger until they hold whole supervoxels."""

    _setting: LabelSetting

    def _in_units(self, masks: Masks, unit: Unit, settings: Mapping[str, Any] | None) -> tuple[Masks, dict[str, Any]]:
        """What an edit of these masks changes, and what the journal says of it. Raises LabelError."""
        if not isinstance(unit, str) or unit not in UNITS:
            raise LabelError(unknown("unit", unit, UNITS))
        if unit == "voxels":
            if settings is not None:
                raise LabelError("supervoxels= says how they are made; it goes with unit='supervoxels'")
            return masks, {}
        if not isinstance(settings, Mapping | None):
            raise LabelError(f"supervoxels={shown(settings)} is no settings, such as {{'size': 12}}")
        config = SupervoxelConfig.from_json(dict(settings or {}))
        noted = config.noted()
        arguments = {"unit": unit, **({"supervoxels": noted} if noted else {})}
        return self._setting.whole_supervoxels(config, masks), arguments


def whole_supervoxels(store: Store, image: str, config: SupervoxelConfig, masks: Masks) -> Masks:
    """Masks made larger until they hold the whole supervoxels of an image that they touch. Raises LabelError."""
    try:
        volume, mark = store.images.open(image), store.images.info(image).fingerprint
        partition = resolve(_PARTITION)(volume, store.document.channels, config, store.layout, image, mark)
    except ConfigError as error:
        raise LabelError(str(error)) from None
    made: Masks = partition.whole(masks)
    return made
