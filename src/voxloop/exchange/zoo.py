"""Packages of bioimage.io, by id or address: the description first, then only what ONNX weights need. No code comes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from voxloop.errors import ModelError
from voxloop.exchange.fetching import Digest
from voxloop.exchange.naming import inside

#: where packages lie by id; the variable that bioimageio's own programs obey overrides it
PATTERN = "https://hypha.aicell.io/bioimage-io/artifacts/{bioimageio_id}/files/rdf.yaml"
#: bytes of a description, at most
MOST_TEXT = 2 << 20

#: brings a file, called so beside the description, into a place; what it should be where that is known
Bring = Callable[[str, Path, Digest | None], Path]


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What a description says of a package."""

    title: str
    licence: str
    authors: tuple[str, ...]
    version: str


def address_of(name: str) -> str:
    """Where the description of the package with this id lies."""
    pattern = os.environ.get("BIOIMAGEIO_COLLECTION_HTTP_PATTERN", PATTERN)
    return pattern.replace("{bioimageio_id}", quote(name, safe="/"))


def bring_package(description: Path, bring: Bring, source: str, say: Callable[[str], None]) -> PackageFacts:
    """Bring what a package needs beside its description, which is there already.

    Raises ModelError where it describes no network, has no ONNX weights, or names files elsewhere; then nothing large
    was fetched.
    """
    facts = read_description(description, source)
    files = dict(_files(facts, source))
    found = PackageFacts(
        title=_words(facts.get("name")) or source,
        licence=_words(facts.get("license")),
        authors=tuple(_words(one.get("name")) for one in _maps(facts.get("authors"))),
        version=_words(facts.get("version")),
    )
    by = f" by {', '.join(found.authors)}" if found.authors else ""
    say(f"{found.title}{by}, licence {found.licence or 'not stated'}")
    for name, wanted in files.items():
        bring(name, description.parent / name, wanted)
    return found


def read_description(path: Path, source: str) -> Mapping[str, Any]:
    """An ``rdf.yaml`` as a mapping. Raises ModelError where it is none of a network."""
    import yaml

    try:
        facts = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ModelError(f"{source} is no description of a model ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(facts, dict) or facts.get("type") != "model":
        kind = facts.get("type") if isinstance(facts, dict) else None
        raise ModelError(f"{source} describes {f'a {kind}' if kind else 'nothing'}, and no model")
    return facts


def _files(facts: Mapping[str, Any], source: str) -> Iterator[tuple[str, Digest | None]]:
    """The files that are needed, the weights first, and what they should be."""
    weights = facts.get("weights")
    onnx = weights.get("onnx") if isinstance(weights, dict) else None
    if not isinstance(onnx, dict):
        kinds = ", ".join(map(str, weights)) if isinstance(weights, dict) and weights else "no"
        raise ModelError(
            f"{source} has {kinds} weights, but voxloop opens only ONNX, which cannot run foreign code; its makers can "
            "add them with 'bioimageio add-weights'"
        )
    yield _file(onnx, source)
    for tensor in (*_maps(facts.get("inputs")), *_maps(facts.get("outputs"))):
        if isinstance(tensor.get("test_tensor"), dict):
            yield _file(tensor["test_tensor"], source)
    for kind in ("test_inputs", "test_outputs"):  # version 0.4
        for name in facts.get(kind) or ():
            if isinstance(name, str):
                yield inside(name, source), None


def _file(facts: Mapping[str, Any], source: str) -> tuple[str, Digest | None]:
    wanted = facts.get("sha256")
    return inside(facts.get("source"), source), Digest("sha256", wanted) if isinstance(wanted, str) else None


def _maps(values: Any) -> list[Mapping[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _words(value: Any) -> str:
    """A short text of somebody else, on one line."""
    return "".join(c for c in " ".join(str(value).split()) if c.isprintable())[:120] if value else ""
