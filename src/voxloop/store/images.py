"""The images of a workspace: where they lie, how they are opened, whether they are still the same pictures."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from voxloop.errors import VolumeError, VolumeWarning, WorkspaceError, unknown
from voxloop.given import flag, path_of
from voxloop.store.document import ImageInfo, check_name, safe_name
from voxloop.store.fingerprint import fingerprint
from voxloop.store.image_origin import as_noted, origin_of
from voxloop.store.named import Keeper, Named
from voxloop.store.sources import candidates, is_url, locate, note, place_of, stamp
from voxloop.store.values import as_list

if TYPE_CHECKING:
    import xarray as xr

    from voxloop.store.workspace import Store

log = logging.getLogger(__name__)

#: as :data:`voxloop.volumes.copying.Progress`
Progress = Callable[[int, int], object]

#: from this many bytes on, copying is worth a word
_LARGE = 10**9
#: bytes that are copied in a second or two
_WORTH_A_BAR = 2**28


class Images(Named["xr.DataArray"]):
    """Mapping of lazily opened volumes by name; sources stay where they are.

    Examples
    --------
    >>> info = ws.images.add("second", volume)
    >>> ws.images.names, info.shape, info.spacing_um
    (['stack', 'second'], (6, 64, 64), (0.04, 0.01, 0.01))
    >>> ws.images["stack"].dims
    ('z', 'y', 'x')
    """

    def __init__(self, store: Keeper) -> None:
        super().__init__(store)
        self._opened: dict[str, tuple[ImageInfo, xr.DataArray]] = {}

    @property
    def names(self) -> list[str]:
        return [info.name for info in self._store.document.images]

    def __getitem__(self, name: str) -> xr.DataArray:
        return self.open(name)

    def info(self, name: str) -> ImageInfo:
        """What the workspace knows of an image without opening it. Raises WorkspaceError."""
        for info in self._store.document.images:
            if isinstance(name, str) and info.name == name:
                return info
        raise WorkspaceError(unknown("image", name, self.names))

    def scales(self, name: str | None = None) -> list[xr.DataArray]:
        """Resolutions of an image, finest first, lazy; coarser ones are kept in ``derived/scales`` as they are read."""
        from voxloop.volumes import scales

        name = self.one(name)
        cache = None if self._store.read_only else self._store.layout.derived / "scales" / name
        return scales(self.open(name), cache=cache)

    def one(self, name: str | None) -> str:
        """``name``, or the only image there is. Raises WorkspaceError that names them."""
        if name is not None:
            return self.info(name).name
        if len(self.names) != 1:
            raise WorkspaceError(f"say which image: there are {', '.join(map(repr, self.names)) or 'none'}")
        return self.names[0]

    def open(self, name: str | None = None) -> xr.DataArray:
        """The volume of an image, lazy; opened once, shared after that.

        Raises WorkspaceError where the source moved or is of another shape now, naming ``ws.images.relink``.
        """
        info = self.info(self.one(name))
        known = self._opened.get(info.name)
        if known is not None and known[0] == info:
            return known[1]
        volume = self._open(info)
        self._opened[info.name] = info, volume
        return volume

    def add(
        self, name: str, source: Any, *, copy: bool = False, progress: Progress | None = None, **arguments: Any
    ) -> ImageInfo:
        """Add an image.

        Parameters
        ----------
        source
            What :func:`open_volume` opens. A path or URL stays where it is; an array is saved into the workspace.
        copy
            Copy a path's picture into the workspace as well, as OME-Zarr.
        progress
            Called while voxels are copied, with the bytes read so far and those in all; what it raises stops the copy,
            and nothing is added (InterruptedError becomes one sentence). None: a bar in a notebook's cell or on a
            terminal; interrupting stops it.
        **arguments
            What :func:`open_volume` takes (``dataset``, ``spacing``, ``unit``, ``channels``, ...); kept.

        Raises
        ------
        VolumeError
            The source cannot be opened; nothing is added.
        WorkspaceError
            The name is taken or not a name.
        """
        self._store.check_writable()
        name = check_name("image", name)
        if name in self.names:
            raise WorkspaceError(f"there is an image {name!r} already; choose another name")
        info = self.prepare(name, source, copy=copy, progress=progress, **arguments)
        self._store.change(images=(*self._store.document.images, info))
        return info

    def prepare(
        self, name: str, source: Any, *, copy: bool = False, progress: Progress | None = None, **arguments: Any
    ) -> ImageInfo:
        """What :meth:`add` is to note of an image; voxels that have no other place are copied."""
        from voxloop.volumes import open_volume

        name, place, copy = check_name("image", name), place_of(source), flag("copy", copy, error=WorkspaceError)
        volume = open_volume(source, **arguments)
        if place is None and not arguments:
            place, arguments = origin_of(source)
        stays = None if copy else place
        return self._import(name, volume, progress) if stays is None else self._describe(name, volume, stays, arguments)

    @contextmanager
    def together(self) -> Iterator[Callable[[ImageInfo], None]]:
        """Add several images in one step, or none: what was copied for them is gone where one fails."""
        self._store.check_writable()
        added: list[ImageInfo] = []
        try:
            yield added.append
            self._store.change(images=(*self._store.document.images, *added))
        except BaseException:
            for info in added:
                if info.own:
                    shutil.rmtree(self._store.layout.image(info.name), ignore_errors=True)
            raise

    def add_times(self, name: str, source: Any, **how: Any) -> list[ImageInfo]:
        """Add every time point of a series of volumes as an image, ``"name t0"`` and so on, each with its own labels.

        Takes what :meth:`add` takes. Panels step through them in time. Raises WorkspaceError, VolumeError.
        """
        from voxloop.store.times import add_times

        self._store.check_writable()
        return add_times(self, name, source, **how)

    def times(self, name: str | None = None) -> list[str]:
        """The images of the time series that an image belongs to, by time; itself alone where it belongs to none."""
        from voxloop.store.times import times_of

        return times_of(self._store.document.images, self.one(name))

    def add_folder(
        self, path: str | Path, *, masks: str | Path | None = None, copy: bool = False, **arguments: Any
    ) -> list[ImageInfo]:
        """Add every picture of a folder as an image of its own, named after its file (pictures of several sizes).

        ``masks`` is the folder of their masks (the same one, where they lie beside them): those that ``ws.add_pairs``
        finds become labels; ``level``, ``zero`` and ``values`` say how. Without masks, a picture that became an image
        before, of the same unchanged file, is not added again. :meth:`remove` takes all of it back.

        Raises WorkspaceError where the folder holds no pictures; a picture that cannot be opened, or a mask that does
        not fit, adds none at all.
        """
        from voxloop.store.pairs import add_folder

        names = add_folder(cast("Store", self._store), path, masks, copy=copy, **arguments)
        return [self.info(name) for name in names]

    def remove(self, name: str | Sequence[str]) -> None:
        """Take an image out, or several. Sources stay; labels, and copies the workspace owns, go to ``removed/``."""
        self._store.check_writable()
        infos = [self.info(one) for one in ([name] if isinstance(name, str) else as_list("name", name))]
        gone = {info.name for info in infos}
        for info in infos:
            self._opened.pop(info.name, None)
            self._store.set_aside(image=info)
        self._store.change(
            images=tuple(one for one in self._store.document.images if one.name not in gone),
            regions=tuple(one for one in self._store.document.regions if one.image not in gone),
        )

    def relink(self, name: str, source: str | Path, *, force: bool = False, **arguments: Any) -> ImageInfo:
        """Say where an image's source lies now.

        Raises WorkspaceError where it is another picture; ``force`` takes one that differs in voxels but not in shape.
        """
        from voxloop.volumes import open_volume

        self._store.check_writable()
        old = self.info(name)
        given = {**old.arguments, **arguments}
        new = self._describe(name, open_volume(source, **given), place_of(source) or str(source), given)
        if new.shape != old.shape:
            raise WorkspaceError(
                f"{source} has {new.shape} voxels (z, y, x), image {name!r} has {old.shape}; its labels would not fit, "
                "add it as a new image"
            )
        if new.fingerprint != old.fingerprint and not force:
            raise WorkspaceError(
                f"{source} is of the right shape but another picture than {name!r}; force=True takes it"
            )
        self._store.change(images=tuple(new if one.name == name else one for one in self._store.document.images))
        return new

    def relink_folder(self, folder: str | Path) -> list[ImageInfo]:
        """Find all images whose source is gone in the folder into which they were moved, and below it.

        Names decide where to look, voxels whether it is the same picture; what is another picture is left as it is.

        Returns the images that were found. Raises WorkspaceError where there is no such folder, or nothing is found.
        """
        self._store.check_writable()
        place = path_of(folder, error=WorkspaceError).absolute()
        if not place.is_dir():
            raise WorkspaceError(f"{place} is no folder; say into which folder the images were moved")
        lost = [info for info in self._store.document.images if not self._is_there(info)]
        moved = [again for info in lost if (again := self._found_below(info, place)) is not None]
        if not moved:
            names = ", ".join(repr(info.name) for info in lost[:6]) or "none"
            raise WorkspaceError(f"no image was found below {place}; missing are {names}")
        by_name = {info.name: info for info in moved}
        self._store.change(images=tuple(by_name.get(one.name, one) for one in self._store.document.images))
        return moved

    def path(self, name: str) -> str | list[str]:
        """Where an image's source lies: absolute path or URL, or a list of them."""
        info = self.info(name)
        return locate(info.source, info.beside, self._store.path)

    def _is_there(self, info: ImageInfo) -> bool:
        place = self.path(info.name)
        return all(is_url(one) or Path(one).exists() for one in (place if isinstance(place, list) else [place]))

    def _found_below(self, info: ImageInfo, folder: Path) -> ImageInfo | None:
        """The image as it lies in another folder; None where no picture there is the same."""
        from voxloop.volumes import open_volume

        for place in candidates(info.source, folder):
            if not all(Path(one).exists() for one in (place if isinstance(place, list) else [place])):
                continue
            try:
                again = self._describe(info.name, open_volume(place, **info.arguments), place, info.arguments)
            except VolumeError:
                continue
            if again.fingerprint == info.fingerprint:
                return again.model_copy(update={"z_kind": info.z_kind})
        return None

    def _open(self, info: ImageInfo) -> xr.DataArray:
        from voxloop.volumes import open_volume, shape_zyx

        hint = f"ws.images.relink({info.name!r}, new_path) says where it lies now"
        if len(self.names) > 1:
            hint += ", ws.images.relink_folder(folder) finds all that were moved"
        place = self.path(info.name)
        try:
            volume = open_volume(place, **info.arguments)
        except VolumeError as error:
            raise WorkspaceError(f"image {info.name!r} does not open any more: {error}; {hint}") from error
        if shape_zyx(volume) != info.shape:
            raise WorkspaceError(
                f"the source of image {info.name!r} has {shape_zyx(volume)} voxels (z, y, x) now, it had {info.shape}; "
                f"{hint}"
            )
        volume.attrs["z_kind"] = info.z_kind
        self._check_same(info, volume, place)
        return volume.rename(info.name)

    def _check_same(self, info: ImageInfo, volume: xr.DataArray, place: str | list[str]) -> None:
        """Warn where the source is another picture than the one that labels were drawn on."""
        changed = stamp(place)
        if not info.fingerprint or (changed and changed == info.stamp):
            return
        try:
            same = fingerprint(volume) == info.fingerprint
        except VolumeError as error:
            volume.attrs["remarks"] = [*volume.attrs.get("remarks", ()), f"whether it has changed is unknown: {error}"]
            return
        if same:
            return
        words = (
            f"the source of image {info.name!r} is another picture than when it was added, though of the same shape: "
            f"its labels may not fit; ws.images.relink({info.name!r}, path, force=True) takes it as it is"
        )
        volume.attrs["remarks"] = [words, *volume.attrs.get("remarks", ())]
        warnings.warn(words, VolumeWarning, stacklevel=4)

    def _import(self, name: str, volume: xr.DataArray, progress: Progress | None) -> ImageInfo:
        from voxloop.volumes import open_volume

        place = self._store.layout.image(name)
        self._check_room(name, volume.nbytes)
        if place.exists():
            shutil.rmtree(place)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(volume, place, f"copying {name}", progress)
            saved = open_volume(place)
        except InterruptedError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise WorkspaceError(f"copying {name!r} was stopped; nothing was added") from error
        except OSError as error:
            shutil.rmtree(place, ignore_errors=True)
            raise WorkspaceError(f"image {name!r} could not be copied into the workspace ({error.strerror})") from error
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        info = self._describe(name, saved, str(place), {})
        return info.model_copy(update={"own": True, "z_kind": volume.attrs.get("z_kind", "space")})

    def _check_room(self, name: str, size: int) -> None:
        """Refuse to copy what the disk has no room for, before a byte is written. Raises WorkspaceError."""
        free = shutil.disk_usage(self._store.path).free
        if size > free:
            raise WorkspaceError(
                f"image {name!r} is an array, so it is copied into {self._store.layout.images}: that takes up to "
                f"{size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free; save it elsewhere with save_volume and add "
                "the path, or add a part of it"
            )
        if size > _LARGE:
            log.info("copying image %r: up to %.1f GB, %.1f GB are free", name, size / 1e9, free / 1e9)

    def _describe(
        self, name: str, volume: xr.DataArray, place: str | list[str], arguments: dict[str, Any]
    ) -> ImageInfo:
        from voxloop.volumes import channels_of, shape_zyx, spacing_of

        source, beside = note(place, self._store.path)
        return ImageInfo(
            name=name,
            source=source,
            arguments={key: as_noted(value) for key, value in arguments.items()},
            shape=shape_zyx(volume),
            spacing_um=spacing_of(volume),
            channels=channels_of(volume),
            dtype=str(volume.dtype),
            z_kind=volume.attrs.get("z_kind", "space"),
            fingerprint=fingerprint(volume),
            beside=beside,
            stamp=stamp(locate(source, beside, self._store.path)),
        )

    def free_name(self, wanted: str, taken: Sequence[str] = ()) -> str:
        """The nearest name to ``wanted`` that an image may have and none has."""
        wanted, taken = safe_name(str(wanted)), as_list("taken", taken, error=WorkspaceError)
        name, number = wanted, 2
        while name in self.names or name in taken:
            name, number = f"{wanted}-{number}", number + 1
        return name


def _copy(volume: xr.DataArray, place: Path, title: str, progress: Progress | None) -> None:
    """Write a volume, telling how far it is; behind a bar where nobody is told and it takes long enough to see one."""
    from voxloop.volumes import save_volume
    from voxloop.volumes.copying import bar

    if progress is not None or volume.nbytes < _WORTH_A_BAR:
        save_volume(volume, place, progress=progress)
        return
    with bar(title, volume.nbytes) as line:
        save_volume(volume, place, progress=line)
