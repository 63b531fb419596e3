"""The file of a packed training (.vxl): a zip of a small workspace, or of what a training made. Trains nothing.

A pack may come from anyone. Names in it lead nowhere but into the folder that it is unpacked to, links are not made,
and what it may unpack to is looked at before.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from voxloop.archives import check_archive
from voxloop.errors import RunError

SUFFIX = ".vxl"
#: of the format; a newer one is refused
VERSION = 1
_FACTS = "pack.json"
_MOST_FACTS = 1 << 20
#: compressed already, or not worth it
_STORED = ("c", ".safetensors", ".png", ".npz", ".skops")


@dataclass(frozen=True, slots=True)
class PackFacts:
    """What a pack says of itself.

    ``config`` stands for the frozen settings and labels of the run (a checksum); ``trained``: it holds what training
    made, else what training needs; ``made_with``: the versions of who wrote it; ``carried``: by image how much of
    it is there, and of what, in words; ``files``: how many there are.
    """

    run: str
    workspace: str
    config: str
    trained: bool
    made_with: dict[str, str]
    carried: dict[str, str] = field(default_factory=dict)
    files: int = 0
    version: int = VERSION


def write_pack(path: Path, facts: PackFacts, root: Path, members: Iterable[Path]) -> None:
    """Put files below ``root`` into a pack, in one step. Raises RunError where it cannot be written."""
    part, members = path.with_name(f".{path.name}.part"), list(members)
    facts = replace(facts, files=len(members))
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(_FACTS, json.dumps(asdict(facts), indent=1))
            for member in members:
                name = member.relative_to(root).as_posix()
                packed = "/c/" in name or member.suffix in _STORED
                archive.write(member, name, zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"{path} cannot be written ({error.strerror}); choose another place") from error


def read_facts(path: Path) -> PackFacts:
    """What a pack says of itself. Raises RunError for what is none, is damaged or was made to do harm."""
    if not path.is_file():
        raise RunError(f"there is no pack {path}; 'voxloop pack' makes one")
    check_archive(path, error=RunError, remedy="was the pack copied as a whole?")
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(_FACTS).file_size > _MOST_FACTS:
                raise ValueError("it says too much of itself")
            said, held = json.loads(archive.read(_FACTS)), len(archive.infolist()) - 1
        known = {name: said[name] for name in PackFacts.__dataclass_fields__ if name in said or name != "carried"}
        facts = PackFacts(**known)
        if not _is_sound(facts):
            raise ValueError("it says of itself what none says")
    except (KeyError, ValueError, TypeError, RecursionError, OSError, zipfile.BadZipFile) as error:
        raise RunError(f"{path} is no pack of voxloop ({error}); 'voxloop pack' makes one") from error
    if facts.version > VERSION:
        raise RunError(f"{path} was made by a newer voxloop (format {facts.version}); update voxloop to use it")
    if facts.files != held:
        raise RunError(
            f"{path} is not as it was packed: it holds {held} files of {facts.files}, so labels or parts of an image "
            "are missing or were put in; pack it again"
        )
    return facts


def _is_sound(facts: PackFacts) -> bool:
    words = (facts.run, facts.workspace, facts.config)
    return (
        all(isinstance(one, str) and one for one in words)
        and isinstance(facts.trained, bool)
        and all(isinstance(one, int) for one in (facts.version, facts.files))
        and all(isinstance(table, dict) for table in (facts.made_with, facts.carried))
        and all(
            isinstance(one, str) for table in (facts.made_with, facts.carried) for pair in table.items() for one in pair
        )
    )


def extract(path: Path, folder: Path, below: str = "") -> None:
    """Unpack what lies under ``below`` in a pack into a folder that is new or empty.

    Raises RunError for a name that leads elsewhere, and where the disk is full; what was unpacked by then stays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            wanted = [one for one in archive.infolist() if one.filename != _FACTS and not one.is_dir()]
            places = [(one, _inside(path, one.filename)) for one in wanted]
            for member, place in places:
                if below and not place.is_relative_to(below):
                    continue
                target = folder / place.relative_to(below) if below else folder / place
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path} cannot be unpacked into {folder}: {error}") from error


def _inside(path: Path, name: str) -> PurePosixPath:
    """The place that a member names. Raises RunError where it lies outside of the pack."""
    place = PurePosixPath(name)
    plain = (
        not place.is_absolute() and ".." not in place.parts and place.parts and "\\" not in name and "\0" not in name
    )
    if not plain:
        raise RunError(f"{path} holds a file named {name[:60]!r}, which leads out of it; it is not unpacked")
    return place


def content_key(value: Any) -> str:
    """A checksum of JSON, whatever the order of its keys."""
    import hashlib

    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
