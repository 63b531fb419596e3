"""Zip files of others: how much they unpack to is looked at before they are. Pure: unpacks nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

from voxloop.errors import VoxloopError

#: bytes that an archive may unpack to for every byte it has: only what is made to shrinks more
_RATIO = 200
#: and what it may unpack to however small it is
_FREE = 64 << 20


def check_archive(
    path: Path, *, error: type[VoxloopError], most: int | None = None, remedy: str = "was it downloaded as a whole?"
) -> None:
    """Raise ``error`` where a zip file cannot be read, or is made to fill a disk or the memory.

    ``most``: bytes that its members may have together; None: what honest archives of this size have. A member never
    unpacks to more than it says here, since ``zipfile`` stops there.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as reason:
        raise error(f"{path} is no zip file, or was cut short ({reason}); {remedy}") from reason
    names = [member.filename for member in members]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise error(f"{path} holds {sorted(twice)[0]!r} twice, which no program writes; it is not opened")
    whole = sum(member.file_size for member in members)
    bound = path.stat().st_size * _RATIO + _FREE if most is None else most
    if whole > bound:
        raise error(
            f"{path} would unpack to {whole / 1e9:,.1f} GB, more than anything of its kind has; it is not opened"
        )
