"""NumPy files, memory mapped."""

from __future__ import annotations

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Format, Found, Source, has_suffix
from voxloop.volumes.formats.hdf5 import choose


def read(source: Source) -> Found:
    """A ``.npy`` as a memory map; an array of an ``.npz`` (compressed as a whole, so it is read into memory)."""
    try:
        if source.text.lower().endswith(".npz"):
            with np.load(str(source.path), allow_pickle=False) as archive:
                shapes = {name: archive[name].shape for name in archive.files}
                array = archive[choose(source, shapes)]
        else:
            array = np.load(str(source.path), mmap_mode="r", allow_pickle=False)
    except VolumeError:
        raise
    except (OSError, ValueError, EOFError) as error:
        if "Object arrays" in str(error) or "Python objects" in str(error):
            raise VolumeError(
                f"{source.path} holds Python objects, not numbers; save it with a numeric dtype such as uint8"
            ) from error
        raise VolumeError(f"{source.path} cannot be read as NumPy ({error}); is it complete?") from error
    return Found(array=array, axes="?" * array.ndim)


FORMAT = Format(name="NumPy", suffixes=(".npy", ".npz"), accepts=has_suffix(".npy", ".npz"), read=read)
