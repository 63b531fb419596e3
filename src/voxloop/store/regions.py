"""Named regions of a workspace, and which of them is active. Reads no voxels."""

from __future__ import annotations

from typing import Any

from voxloop.errors import WorkspaceError, unknown
from voxloop.geometry import AXES, Box, plane_axes
from voxloop.store.document import NamedRegion, check_name
from voxloop.store.images import Images
from voxloop.store.named import Keeper, Named
from voxloop.store.region_mask import as_outline

#: states that undo can go back to
_KEPT = 50


class Regions(Named[NamedRegion]):
    """Mapping of :class:`NamedRegion` by name.

    Of each image one may be active: painting, the overlay, suggestions, trainings, predictions and objects then stay
    inside of it, in every panel and in Python, until it is so no more. Written down in ``workspace.json``.

    Examples
    --------
    >>> region = ws.regions.add("middle", (slice(2, 4), slice(10, 50), slice(10, 50)))
    >>> ws.regions["middle"].box
    Box(start=(2, 10, 10), stop=(4, 50, 50))
    >>> ws.labels().read("middle").shape
    (2, 40, 40)
    >>> active = ws.regions.activate("middle")
    >>> ws.regions.active().name
    'middle'
    """

    def __init__(self, store: Keeper, images: Images) -> None:
        super().__init__(store)
        self._images = images
        self._before: list[dict[str, Any]] = []

    @property
    def names(self) -> list[str]:
        return [one.name for one in self._store.document.regions]

    def __getitem__(self, name: str) -> NamedRegion:
        for one in self._store.document.regions:
            if isinstance(name, str) and one.name == name:
                return one
        raise WorkspaceError(unknown("region", name, self.names))

    def of(self, image: str | None = None) -> list[NamedRegion]:
        """The regions of an image (None: the only one), in the order in which they were named."""
        image = self._images.one(image)
        return [one for one in self._store.document.regions if one.image == image]

    def add(
        self,
        name: str,
        region: object = None,
        image: str | None = None,
        *,
        outline: object = None,
        axis: str = "z",
    ) -> NamedRegion:
        """Name a region; an existing name moves to the new one.

        Parameters
        ----------
        region
            A box of voxels: slices (z, y, x). With an outline, planes and voxels that this is kept to; None: all.
        outline
            Corners (row, column) in voxels of a polygon in planes across ``axis``, which goes through the whole box.

        Raises
        ------
        VolumeError
            The box reaches out of the image.
        WorkspaceError
            The outline crosses itself, has fewer than three corners, or lies outside of the image.
        """
        self._store.check_writable()
        image, name = self._images.one(image), check_name("region", name)
        box = Box.of(region, self._images.info(image).shape)
        corners = () if outline is None else as_outline(outline)
        plane_axes(axis)
        if corners:
            box = _around(corners, axis, box)
        new = NamedRegion(name=name, image=image, box=box, axis=axis if corners else "z", outline=corners)
        kept = [new if one.name == name else one for one in self._store.document.regions]
        active = {key: one for key, one in self._active.items() if one != name or key == image}
        self._change(regions=tuple(kept if name in self.names else [*kept, new]), active_regions=active)
        return new

    def rename(self, name: str, new: str) -> NamedRegion:
        """Give a region another name; training sets keep the voxels that they were made with."""
        self._store.check_writable()
        new, old = check_name("region", new), self[name]
        if new in self.names:
            raise WorkspaceError(f"there is a region {new!r} already; choose another name")
        regions = [
            one.model_copy(update={"name": new}) if one.name == old.name else one
            for one in self._store.document.regions
        ]
        active = {image: new if one == old.name else one for image, one in self._active.items()}
        self._change(regions=tuple(regions), active_regions=active)
        return self[new]

    def remove(self, name: str) -> None:
        """Forget a name; voxels and labels stay."""
        self._store.check_writable()
        found = self[name]
        active = {image: one for image, one in self._active.items() if one != found.name}
        kept = tuple(one for one in self._store.document.regions if one.name != found.name)
        self._change(regions=kept, active_regions=active)

    # ---------------------------------------------------------------------------------------------------- the active

    @property
    def _active(self) -> dict[str, str]:
        return dict(self._store.document.active_regions)

    def active(self, image: str | None = None) -> NamedRegion | None:
        """The region of an image (None: the only one) that all that is done there stays inside of."""
        return self.active_on(self._images.one(image))

    def active_on(self, image: str) -> NamedRegion | None:
        """The same of an image that may be gone, as may the region: then there is none."""
        document = self._store.document
        name = document.active_regions.get(image)
        return next((one for one in document.regions if (one.image, one.name) == (image, name)), None)

    def activate(self, name: str) -> NamedRegion:
        """From now on, all that is done on the image of this region stays inside of it."""
        self._store.check_writable()
        found = self[name]
        if self._active.get(found.image) != found.name:
            self._change(active_regions={**self._active, found.image: found.name})
        return found

    def deactivate(self, image: str | None = None) -> None:
        """Work on all of an image again (None: the only one)."""
        self._store.check_writable()
        image = self._images.one(image)
        if image in self._active:
            self._change(active_regions={key: one for key, one in self._active.items() if key != image})

    def undo(self) -> bool:
        """Take back the last change of regions that was made here since the workspace was opened; whether it did."""
        self._store.check_writable()
        if not self._before:
            return False
        images = self._images.names
        before = self._before.pop()
        regions = tuple(one for one in before["regions"] if one.image in images)
        active = {image: name for image, name in before["active_regions"].items() if image in images}
        self._store.change(regions=regions, active_regions=active)
        return True

    def _change(self, **changes: Any) -> None:
        document = self._store.document
        before = {"regions": document.regions, "active_regions": document.active_regions}
        self._store.change(**changes)
        self._before = [*self._before, before][-_KEPT:]


def _around(corners: tuple[tuple[float, float], ...], axis: str, box: Box) -> Box:
    """The voxels of a box that an outline reaches. Raises WorkspaceError where it lies outside."""
    bounds = dict(zip(AXES, box.to_json(), strict=True))
    for name, along in zip(plane_axes(axis), zip(*corners, strict=True), strict=True):
        first, last = bounds[name]
        low, high = max(first, int(min(along) + 0.5)), min(last, int(max(along) + 0.5) + 1)
        if low >= high:
            raise WorkspaceError(
                f"the outline lies outside of what there is along {name}: voxels {min(along):.0f} to {max(along):.0f}, "
                f"of {first} to {last - 1}"
            )
        bounds[name] = [low, high]
    return Box.from_json([bounds[name] for name in AXES])
