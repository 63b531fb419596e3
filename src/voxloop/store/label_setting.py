"""What a label array has to know of the workspace around it. Holds no voxels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxloop.geometry import Spacing
from voxloop.store.classes import Level

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.config.supervoxels import SupervoxelConfig
    from voxloop.store.document import ChannelEntry, NamedRegion
    from voxloop.store.labels import Labels
    from voxloop.store.units import Masks


@dataclass(frozen=True, slots=True)
class LabelSetting:
    """Asked anew each time, since all of it may change while labels are open."""

    image: str
    spacing_um: Callable[[], Spacing]
    level: Callable[[], Level]
    parent: Callable[[], Labels | None]
    children: Callable[[], Sequence[Labels]]  # labels that lie inside of these
    active: Callable[[], NamedRegion | None]  # the region that edits stay inside of
    volume: Callable[[], xr.DataArray]
    channels: Callable[[], Sequence[ChannelEntry]]
    region: Callable[[str], NamedRegion]
    beside: Callable[[str], Labels]  # those of the same level on another image
    whole_supervoxels: Callable[[SupervoxelConfig, Masks], Masks]
    refusal: Callable[[], str | None]  # why nothing may be written, None where it may
