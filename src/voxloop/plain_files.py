"""Files that somebody else may have put there: read where they are plain ones, never a pipe or a device.

A pipe in a workspace would keep whoever opens it waiting for good, and an endless device would fill the memory.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


class NoPlainFileError(OSError):
    """A pipe or a device."""


def open_plain(path: Path) -> BinaryIO:
    """A plain file to read, also behind a link. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    mode = os.fstat(fd).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(fd, "rb")
    os.close(fd)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise NoPlainFileError(errno.EINVAL, "it is no plain file", str(path))


def read_plain(path: Path) -> bytes:
    """All of a plain file. Raises OSError."""
    with open_plain(path) as file:
        return file.read()
