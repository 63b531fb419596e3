"""Write files so that a crash leaves the old one or the new one, never half of one. Knows no formats."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxloop.locks import user_name


def replace_bytes(path: Path, data: bytes, *, name_durable: bool = True) -> None:
    """Put ``data`` at ``path`` in one step and wait for the disk. Raises OSError, ``path`` unharmed.

    Without ``name_durable`` the caller syncs the folder (once for many files).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
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
    replace_bytes(path, json_bytes(value, indent=1) + b"\n")


def json_bytes(value: Any, **style: Any) -> bytes:
    """``value`` as JSON that people can read; names of files that are no text, which disks hold too, as escapes.

    Raises TypeError or ValueError for what JSON cannot hold.
    """
    return json.dumps(value, ensure_ascii=False, **style).encode(errors="backslashreplace")


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


def open_to_append(path: Path) -> int:
    """A plain file to append to, made where there is none. Raises OSError, for links as well.

    A workspace may come from anyone, so nothing is written through a link; and a file that has another name elsewhere
    (a snapshot made of hard links, or worse) is copied first, so that only the workspace's own changes.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(path, flags | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a link, and links are not written through", str(path)) from error
        raise
    facts = os.fstat(fd)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1:
        return fd
    os.close(fd)
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file", str(path))
    replace_bytes(path, path.read_bytes())
    return os.open(path, flags)


def refusal(path: Path, error: OSError) -> str:
    """Why a file or a folder could not be written; where it is another user's, what opens the workspace to a group."""
    why = error.strerror or str(error)
    try:
        owner = path.stat().st_uid
    except OSError:
        return why
    if error.errno not in (errno.EACCES, errno.EPERM) or owner == os.getuid():
        return why
    folder = next((one for one in (path, *path.parents) if (one / "workspace.json").exists()), path)
    return (
        f"{why}; it is {user_name(owner)}'s, who opens the folder to a group with 'chmod -R g+rwX {folder}' "
        "and keeps it so with umask 002"
    )


def open_to_read(path: Path) -> int:
    """A plain file to read. Raises OSError, for links and pipes as well: what they lead to is somebody else's."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.EINVAL, "it is no plain file", str(path))


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
    """Every file below ``path``, with its stat at hand; nothing where there is no such folder. Follows no links."""
    folders = [] if path.is_symlink() else [str(path)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield entry
        except (FileNotFoundError, NotADirectoryError):
            continue


def bytes_below(path: Path) -> int:
    """Bytes of all files below a folder, those that can be looked at; what links lead to is not counted."""
    total = 0
    with contextlib.suppress(OSError):
        for entry in walk(path):
            with contextlib.suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_size
    return total
