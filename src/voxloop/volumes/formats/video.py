"""Video through ffmpeg: every frame by its own time, decoded when it is asked for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from threading import Lock
from typing import Any

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Contents, Format, Source, has_suffix
from voxloop.volumes.metadata import first_line

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".wmv", ".m4v", ".mpg", ".mpeg")
#: frames that are passed over one by one rather than sought: seeking starts a decoder anew
_NEAR = 64


class Frames:
    """The frames of a video as an array (t, y, x, rgb). One decoder, so one frame at a time.

    Frames are sought by the times that the file states for them, so that a variable rate does not matter.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, path: str) -> None:
        self._path = path
        self._times = frame_times(path)
        self._lock = Lock()
        self._stream: Iterator[Any] | None = None
        self._next = 0
        self._last: tuple[int, np.ndarray] | None = None
        width, height = self._start(0)
        self.shape = (len(self._times), height, width, 3)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        frames, *rest = key
        with self._lock:
            return np.stack([self._frame(index)[tuple(rest)] for index in range(*frames.indices(self.shape[0]))])

    def _frame(self, index: int) -> np.ndarray:
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        if self._stream is None or not self._next <= index < self._next + _NEAR:
            self._start(index)
        assert self._stream is not None
        while True:
            try:
                raw = next(self._stream)
            except StopIteration:
                self._stream = None
                raise VolumeError(f"frame {index} of {self._path} cannot be decoded; the video ends before") from None
            self._next += 1
            if self._next > index:
                picture = np.frombuffer(raw, np.uint8).reshape(self.shape[1:])
                self._last = index, picture
                return picture

    def _start(self, index: int) -> tuple[int, int]:
        """Begin decoding at a frame; columns and rows as they are shown, turned as the file says."""
        import imageio_ffmpeg

        if self._stream is not None:
            self._stream.close()  # type: ignore[attr-defined]
        seek: list[str] = []
        if index > 0:
            # half way from the frame before: rounding must not make it the next one
            seek = ["-ss", f"{float(self._times[index - 1] + self._times[index]) / 2:.6f}"]
        stream = imageio_ffmpeg.read_frames(
            self._path, input_params=seek, output_params=["-fps_mode", "passthrough"], pix_fmt="rgb24"
        )
        width, height = next(stream)["size"]
        self._stream, self._next = stream, index
        return int(width), int(height)


def frame_times(path: str) -> list[Fraction]:
    """When each frame is shown, in seconds from the first, without decoding any. Raises VolumeError."""
    import imageio_ffmpeg

    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        path,
        "-map",
        "0:v:0",
        "-c",
        "copy",
        "-f",
        "framecrc",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    base = re.search(r"^#tb 0: (\d+)/(\d+)", done.stdout, re.MULTILINE)
    rows = [line.split(",") for line in done.stdout.splitlines() if line and not line.startswith("#")]
    if base is None or not rows:
        raise VolumeError(f"{path} cannot be read as a video ({first_line(done.stderr)}); is it complete?")
    tick = Fraction(int(base[1]), int(base[2]))
    shown = sorted(int(row[2]) for row in rows)
    return [(time - shown[0]) * tick for time in shown]


def read(source: Source) -> Contents:
    """The frames of a video; neighbouring frames are separate pictures."""
    try:
        import imageio_ffmpeg  # noqa: F401
    except ImportError:
        raise VolumeError("video needs the package imageio-ffmpeg: pip install 'voxloop[formats]'") from None
    try:
        frames = Frames(str(source.path))
    except (OSError, ValueError, KeyError, RuntimeError, IndexError, StopIteration) as error:
        if isinstance(error, VolumeError):
            raise
        raise VolumeError(f"{source.path} cannot be read as a video ({first_line(error)}); is it complete?") from error
    return Contents(array=frames, axes="tyxs", z_kind="frame", chunks=(1, *frames.shape[1:]))


FORMAT = Format(name="video", suffixes=SUFFIXES, accepts=has_suffix(*SUFFIXES), read=read, parts=False)
