"""A film on disk, written picture by picture: H.264 in mp4, or gif. Whole or not there at all; memory stays flat."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from voxloop.errors import VolumeError
from voxloop.given import flag, path_of, shown

SUFFIXES = (".mp4", ".gif")
#: what H.264 can hold, and what players open
LARGEST_SIDE = 4096
#: pictures a second
SLOWEST, FASTEST = 0.1, 120.0


class Movie:
    """A film that is being written; use it as a context manager.

    ``movie.add(picture)`` takes uint8 pictures (rows, columns, 3) of one size. H.264 wants even sides: where one is
    odd, its last row or column is repeated. What is written goes to a temporary name; leaving the block without an
    error puts it in place, an error or an interruption leaves nothing.

    Parameters
    ----------
    path
        Ends in ``.mp4`` (H.264, yuv420p, BT.709, which every browser and PowerPoint plays) or ``.gif``.
    fps
        Pictures a second, 0.1 to 120.

    Raises
    ------
    VolumeError
        ffmpeg is not there, the path is of another kind or taken, or, while writing, the disk is full.
    """

    def __init__(self, path: str | Path, fps: float = 10.0, *, overwrite: bool = False) -> None:
        self.path = film_path(path, overwrite=overwrite)
        self.fps = rate_of(fps)
        self._program = ffmpeg()
        self._temporary = self.path.with_name(f".{self.path.stem}.part{self.path.suffix}")
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._size: tuple[int, int] = (0, 0)
        self.count = 0

    def add(self, picture: np.ndarray) -> None:
        """Write one picture. Raises VolumeError."""
        rows, columns = picture.shape[:2]
        if self._process is None:
            self._begin(rows, columns)
        if (rows, columns) != self._size:
            raise VolumeError(
                f"a film has pictures of one size: this is {columns} x {rows}, not {self._size[1]} x {self._size[0]}"
            )
        even = np.pad(picture, ((0, rows % 2), (0, columns % 2), (0, 0)), mode="edge")
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(even, np.uint8).data)
        except OSError as error:
            self._process.wait()
            raise self._failure() from error
        self.count += 1

    def extend(self, pictures: Iterable[np.ndarray]) -> Self:
        """Write some pictures."""
        for picture in pictures:
            self.add(picture)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._leave()

    def _begin(self, rows: int, columns: int) -> None:
        if max(rows, columns) > LARGEST_SIDE:
            raise VolumeError(
                f"pictures of {columns} x {rows} are larger than films are, {LARGEST_SIDE} on a side; "
                f"scale them by {LARGEST_SIDE / max(rows, columns):.2g}"
            )
        self._size = rows, columns
        size = f"{columns + columns % 2}x{rows + rows % 2}"
        given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{self.fps:g}", "-i", "-"]
        command = [self._program, "-y", "-v", "error", *given, "-an", *_coding(self.path.suffix), str(self._temporary)]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._said = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._said
            )
        except OSError as error:
            raise VolumeError(f"{self.path} cannot be written ({error.strerror or error})") from error

    def _finish(self) -> None:
        if self._process is None:
            raise VolumeError("a film of no picture at all cannot be written")
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError as error:
            raise self._failure() from error
        if self._process.wait() != 0:
            raise self._failure()
        try:
            self._temporary.replace(self.path)
        except OSError as error:
            raise VolumeError(f"{self.path} cannot be written ({error.strerror or error})") from error

    def _leave(self) -> None:
        """Nothing half stays, and no process."""
        if self._process is not None:
            self._process.kill()
            with suppress(OSError):
                self._process.stdin.close()  # type: ignore[union-attr]
            self._process.wait()
            self._process = None
        if self._said is not None:
            self._said.close()
            self._said = None
        with suppress(OSError):
            self._temporary.unlink()

    def _failure(self) -> VolumeError:
        """What ffmpeg said, in one sentence."""
        said = b""
        if self._said is not None:
            self._said.seek(0)
            said = self._said.read(4000)
        words = said.decode(errors="replace").strip()
        if "No space left" in words:
            return VolumeError(f"{self.path} is not written: the disk is full; make room, or make a smaller film")
        last = words.splitlines()[-1] if words else "ffmpeg ended"
        return VolumeError(f"{self.path} is not written: {last[:200]}")


def _coding(suffix: str) -> list[str]:
    if suffix == ".gif":  # a palette a picture, so that nothing is held back and no colour is lost to another picture
        return ["-filter_complex", "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1:dither=none"]
    color = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    shape = ["-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int"]
    quality = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "16", "-pix_fmt", "yuv420p", "-threads", "2"]
    return [*shape, *quality, *color, "-movflags", "+faststart"]


def ffmpeg() -> str:
    """The program that writes films. Raises VolumeError where there is none."""
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except ImportError:
        raise VolumeError("films need the package imageio-ffmpeg: pip install 'voxloop[formats]'") from None
    except RuntimeError:
        raise VolumeError("films need ffmpeg, and imageio-ffmpeg found none here; install ffmpeg") from None


def film_path(path: str | Path, *, overwrite: bool = False) -> Path:
    """Where a film goes. Raises VolumeError where it is of another kind, or there is one and it may not be replaced."""
    target = path_of(path, error=VolumeError)
    if target.suffix.lower() not in SUFFIXES:
        raise VolumeError(f"{shown(str(path))} is no film: name it .mp4, or .gif")
    if target.is_dir():
        raise VolumeError(f"{target} is a folder; name a file in it")
    if target.exists() and not flag("overwrite", overwrite, error=VolumeError):
        raise VolumeError(f"{target} exists; choose another name or say overwrite=True")
    return target


def rate_of(fps: Any) -> float:
    """Pictures a second. Raises VolumeError."""
    try:
        rate = float(fps)
    except (TypeError, ValueError, OverflowError):
        rate = float("nan")
    if isinstance(fps, bool) or not SLOWEST <= rate <= FASTEST:
        raise VolumeError(f"fps={shown(fps)}: pictures a second are {SLOWEST:g} to {FASTEST:g}, such as 10")
    return rate
