"""A time series of volumes as images, one a time point, under one name. Knows no file format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxloop.errors import WorkspaceError
from voxloop.store.document import ImageInfo, check_name

if TYPE_CHECKING:
    from voxloop.store.images import Images


def add_times(images: Images, name: str, source: Any, **how: Any) -> list[ImageInfo]:
    """Add every time point of a series of volumes; none where one of them cannot be added.

    Raises WorkspaceError where the source has no time points of several slices, or a name is taken.
    """
    from voxloop.volumes import open_volume

    opening = {key: value for key, value in how.items() if key not in ("copy", "progress")}
    name = check_name("image", name)
    first = open_volume(source, timepoint=0, **opening)
    count = int(first.attrs.get("timepoints", 1))
    if count < 2 or first.sizes["z"] < 2:
        raise WorkspaceError(
            f"{source} has no time points of several slices; add it with ws.images.add, single planes as frames"
        )
    names = [_name(name, time, count) for time in range(count)]
    taken = [one for one in names if one in images.names]
    if taken:
        raise WorkspaceError(f"there is an image {taken[0]!r} already; choose another name for the series")
    with images.together() as adding:
        for time, one in enumerate(names):
            adding(images.prepare(one, source, timepoint=time, **how).model_copy(update={"series": name, "time": time}))
    return [images.info(one) for one in names]


def times_of(infos: tuple[ImageInfo, ...], name: str) -> list[str]:
    """The images of the series that an image belongs to, by time; that image alone where it belongs to none."""
    series = next((info.series for info in infos if info.name == name), "")
    if not series:
        return [name]
    members = sorted((info for info in infos if info.series == series), key=lambda info: info.time or 0)
    return [info.name for info in members]


def _name(name: str, time: int, count: int) -> str:
    """Names that are in order when they are sorted as text."""
    return check_name("image", f"{name} t{time:0{len(str(count - 1))}}")
