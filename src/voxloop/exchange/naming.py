"""How people name a model elsewhere: an id of bioimage.io, a repository of Hugging Face, an address, a file. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlsplit

from voxloop.errors import ModelError
from voxloop.given import shown

#: where a model can come from
Shop = Literal["bioimage.io", "Hugging Face", "address", "file"]
#: names of repositories, revisions and ids; nothing that could be a path or another address
_REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")
_REVISION = re.compile(r"[\w.][\w./-]{0,150}")
_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,80}(/[\w.-]{1,80}){0,2}")
_BEFORE = {
    "hf": "Hugging Face",
    "huggingface": "Hugging Face",
    "bioimage.io": "bioimage.io",
    "bioimageio": "bioimage.io",
}
WAYS = (
    "give an id of bioimage.io ('affable-shark'), a repository of Hugging Face ('hf:somebody/model'), an https address "
    "of an rdf.yaml or a .zip, or a file here"
)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A model elsewhere. ``name``: id, ``owner/repository``, address, or path; ``revision`` only of Hugging Face."""

    shop: Shop
    name: str
    revision: str | None = None

    def __str__(self) -> str:
        before = {"Hugging Face": "hf:", "bioimage.io": "bioimage.io:"}.get(self.shop, "")
        name = self.name.partition("?")[0] if self.shop == "address" else self.name  # what is asked may be secret
        return f"{before}{name}" + (f"@{self.revision}" if self.revision else "")

    @property
    def slug(self) -> str:
        """What a folder for it can be called."""
        words = re.sub(r"[^\w.-]+", "-", str(self)).strip("-.")[-60:]
        return f"{words}-{hashlib.sha256(repr(self).encode()).hexdigest()[:8]}"


def named(source: object, revision: str | None = None) -> Elsewhere:
    """What a text names. Raises ModelError for what can be none of it."""
    if isinstance(source, Path):
        return Elsewhere("file", str(source))
    if not isinstance(source, str) or not source.strip() or "\0" in source or len(source) > 2000:
        raise ModelError(f"{shown(source)} names no model; {WAYS}")
    text = source.strip()
    if revision is not None and (not isinstance(revision, str) or not _REVISION.fullmatch(revision)):
        raise ModelError(f"revision={shown(revision)} is no name of a branch, a tag or a commit")
    found = _named(text)
    if revision is None:
        return found
    if found.shop != "Hugging Face":
        raise ModelError(f"revision= is of repositories of Hugging Face; leave it out of {shown(text)}")
    return Elsewhere(found.shop, found.name, revision)


def _named(text: str) -> Elsewhere:
    if "://" in text and not text.startswith(("hf://", "huggingface://")):
        return _address(text)
    before, colon, rest = text.partition(":")
    if colon and before in _BEFORE:
        rest = rest.removeprefix("//")
        return _repository(rest) if _BEFORE[before] == "Hugging Face" else _of_zoo(rest)
    if _there(text) or text.endswith((".zip", ".yaml", ".yml")):
        return Elsewhere("file", text)
    if _REPOSITORY.fullmatch(text.partition("@")[0]) and not text.startswith("10."):
        return _repository(text)
    return _of_zoo(text)


def _there(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):
        return False


def _repository(text: str) -> Elsewhere:
    name, _, revision = text.partition("@")
    if not _REPOSITORY.fullmatch(name) or ".." in name or (revision and not _REVISION.fullmatch(revision)):
        raise ModelError(f"{shown(text)} is no repository of Hugging Face; they are called 'somebody/model'")
    return Elsewhere("Hugging Face", name, revision or None)


def _of_zoo(text: str) -> Elsewhere:
    if not _ID.fullmatch(text) or ".." in text:
        raise ModelError(f"{shown(text)} names no model; {WAYS}")
    return Elsewhere("bioimage.io", text)


def _address(text: str) -> Elsewhere:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ModelError(f"{shown(text)} is no https address; {WAYS}")
    if parts.username or parts.password:
        raise ModelError("an address with a password in it would be written down; give one without")
    path = [part for part in parts.path.split("/") if part]
    if parts.hostname == "huggingface.co" and len(path) >= 2 and "resolve" not in path and path[0] != "api":
        revision = "/".join(path[3:]) if path[2:3] == ["tree"] else ""
        return _repository(f"{path[0]}/{path[1]}" + (f"@{revision}" if revision else ""))
    if parts.hostname in ("bioimage.io", "www.bioimage.io"):
        return _of_zoo((parts.fragment or parts.path).rstrip("/").rsplit("/", 1)[-1])
    return Elsewhere("address", text)


def beside(address: str, name: str) -> str:
    """The address of a file beside another one."""
    parts = urlsplit(address)
    folder = parts.path.rsplit("/", 1)[0]
    return parts._replace(path=f"{folder}/{quote(name)}", query=parts.query).geturl()


def inside(name: object, of: str) -> str:
    """The name of a file of a model, or a sentence: it must lie beside its description, and nowhere else."""
    text = str(name)
    parts = text.replace("\\", "/").split("/")
    if not text or "://" in text or text.startswith("/") or ".." in parts or "\0" in text or len(text) > 200:
        raise ModelError(
            f"{of} names a file that does not lie beside its description: {text[:120]}; it is not fetched: download it "
            "yourself, put it beside its rdf.yaml and name that file"
        )
    if any(part.startswith(".") or not part for part in parts):
        raise ModelError(f"{of} names a hidden file, {text[:120]!r}, which no model has; it is not fetched")
    return text
