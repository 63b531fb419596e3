"""Write files so that a crash leaves the old one or the new one, never half of one. Knows no formats."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def replace_bytes(path: Path, data: bytes, *, name_durable: bool = True) -> None:
    """Put ``data`` at ``path`` in one step and wait for the disk. Raises OSError, ``path`` unharmed.

    Without ``name_durable`` the caller syncs the folder (once for many files).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if name_durable:
        sync_folder(path.parent)


def replace_json(path: Path, value: Any) -> None:
    """Put ``value`` as indented JSON at ``path`` in one step."""
    replace_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def replace_folder(new: Path, folder: Path) -> None:
    """Put a complete folder where ``folder`` is; one cannot be overwritten, so the old one steps aside first.

    A crash in between leaves the old one as ``.<name>.old``. Raises OSError.
    """
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_all(fd: int, data: bytes) -> None:
    """All of ``data``: a single write may stop short. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(path: Path) -> None:
    """Make new names in a folder durable; file systems without the notion are left alone."""
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def walk(path: Path) -> Iterator[os.DirEntry[str]]:
    """Every file below ``path``, with its stat at hand; nothing where there is no such folder."""
    folders = [str(path)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield entry
        except FileNotFoundError:
            continue
