"""Video through ffmpeg: every frame by its own time, decoded when it is asked for."""

from __future__ import annotations

import math
import re
import subprocess
import weakref
from collections import OrderedDict
from fractions import Fraction
from threading import Lock

import numpy as np

from voxloop.errors import VolumeError
from voxloop.volumes.formats.contract import Contents, Format, Source, has_suffix
from voxloop.volumes.metadata import first_line

SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".wmv", ".m4v", ".mpg", ".mpeg")
#: frames that are passed over one by one rather than sought: seeking starts a decoder anew
_NEAR = 64
#: frames before a sought one that are decoded too, so that stepping back needs no decoder of its own
_BEFORE = 8
#: bytes of frames that stay in memory
_KEPT = 48_000_000


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
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        width, height = _shown_size(path)
        self.shape = (len(self._times), height, width, 3)
        self._room = max(1, _KEPT // max(1, height * width * 3))
        self._before = min(_BEFORE, self._room - 1)
        self._decoder: _Decoder | None = None
        self._next = 0

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        frames, *rest = key
        with self._lock:
            return np.stack([self._frame(index)[tuple(rest)] for index in range(*frames.indices(self.shape[0]))])

    def _frame(self, index: int) -> np.ndarray:
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        if self._decoder is None or not self._next <= index < self._next + _NEAR:
            self._seek(max(0, index - self._before))
        assert self._decoder is not None
        while self._next <= index:
            picture = self._decoder.frame()
            if picture is None:
                self._decoder = None
                raise VolumeError(f"frame {index} of {self._path} cannot be decoded; the video ends before")
            if index - self._next <= self._before:
                self._keep(self._next, picture)
            self._next += 1
        return self._kept[index]

    def _keep(self, index: int, picture: np.ndarray) -> None:
        self._kept[index] = picture
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)

    def _seek(self, index: int) -> None:
        """Begin decoding at a frame."""
        seconds = 0.0
        if index > 0:
            # half way from the frame before: rounding must not make it the next one
            seconds = float(self._times[index - 1] + self._times[index]) / 2
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = _Decoder(self._path, seconds, self.shape[1:])
        self._next = index


class _Decoder:
    """A process that writes the frames of a video, from a time on, into a pipe."""

    def __init__(self, path: str, seconds: float, shape: tuple[int, ...]) -> None:
        import imageio_ffmpeg

        seek = ["-ss", f"{seconds:.6f}"] if seconds else []
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", *seek, "-i", path, "-map", "0:v:0"]
        command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        self._shape = shape
        # in a session of its own: an interrupt of the notebook is not meant for it
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout
        # it is ended with what holds it, also where that is forgotten or the kernel ends
        self._end = weakref.finalize(self, _end, self._process)

    def frame(self) -> np.ndarray | None:
        """The next one (y, x, rgb); None where there is none."""
        raw = self._pipe.read(math.prod(self._shape))
        if len(raw) < math.prod(self._shape):
            self.close()
            return None
        return np.frombuffer(raw, np.uint8).reshape(self._shape)

    def close(self) -> None:
        self._end()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()


def _shown_size(path: str) -> tuple[int, int]:
    """Columns and rows of a video as it is shown, turned as the file says."""
    import imageio_ffmpeg

    stream = imageio_ffmpeg.read_frames(path, pix_fmt="rgb24")
    try:
        width, height = next(stream)["size"]
    finally:
        stream.close()
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
