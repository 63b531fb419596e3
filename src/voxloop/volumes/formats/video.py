"""Video through imageio and ffmpeg: frames are decoded when they are asked for."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Format, Found, Source, has_suffix

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".wmv", ".m4v", ".mpg", ".mpeg")


class Frames:
    """The frames of a video as an array (t, y, x, rgb). One decoder, so one frame at a time."""

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, path: str) -> None:
        from imageio import v2

        reader: Any = v2.get_reader(path, "ffmpeg")
        width, height = reader.get_meta_data()["size"]
        self.shape = (int(reader.count_frames()), int(height), int(width), 3)
        self._reader = reader
        self._lock = Lock()

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        frames, *rest = key
        with self._lock:
            stack = [self._reader.get_data(i)[tuple(rest)] for i in range(*frames.indices(self.shape[0]))]
        return np.stack(stack)


def read(source: Source) -> Found:
    """The frames of a video; neighbouring frames are separate pictures."""
    try:
        import imageio_ffmpeg  # noqa: F401
    except ImportError:
        raise VolumeError("video needs the package imageio-ffmpeg: pip install 'voxloop[formats]'") from None
    try:
        frames = Frames(str(source.path))
    except (OSError, ValueError, KeyError, RuntimeError, IndexError) as error:
        text = (str(error).splitlines() or ["unknown error"])[0]
        raise VolumeError(f"{source.path} cannot be read as a video ({text}); is it complete?") from error
    return Found(array=frames, axes="tyxs", z_kind="frame", chunks=(1, *frames.shape[1:]))


FORMAT = Format(name="video", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read)
