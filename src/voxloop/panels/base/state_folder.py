"""Where what this user did last is kept between sessions. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """A folder of the user's; it may not be there yet."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "voxloop"


def replace_file(path: Path, data: bytes) -> None:
    """Write a small file as a whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_bytes(data)
    temporary.replace(path)
