"""The verb ``pull``: a model of somebody else, fetched once, checked, kept in a cache. Opens no code of anybody."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voxloop.archives import check_archive
from voxloop.errors import ModelError
from voxloop.exchange import hub, zoo
from voxloop.exchange.fetching import Digest, check_digest, fetch
from voxloop.exchange.naming import WAYS, Elsewhere, beside, named
from voxloop.exchange.pulled import MADE, Pulled, described, known
from voxloop.exchange.telling import Teller, sized
from voxloop.extras import require
from voxloop.given import flag, path_of, shown
from voxloop.model import load_model
from voxloop.store.atomic import replace_folder

_DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml", "package/rdf.yaml", "package/bioimageio.yaml")


def pull(
    source: str | Path,
    to: str | Path | None = None,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    offline: bool = False,
    limit_gb: float = 4.0,
    quiet: bool = False,
) -> Pulled:
    """Bring a model of somebody else here, to predict with or to start a training from.

    Only what is asked for is fetched, and only files that cannot run code: safetensors, ONNX, arrays, JSON. Hashes are
    checked where the other side states them; nothing is unpacked that would fill the disk. Size, licence and authors
    are said on the way.

    Parameters
    ----------
    source
        An id of bioimage.io (``"affable-shark"``), a repository of Hugging Face (``"hf:somebody/model"``, a commit or a
        tag behind ``@``), an https address of an ``rdf.yaml`` or a ``.zip``, or such a file here.
    to
        Folder to keep it in; None: the cache, ``~/.cache/voxloop/models`` or ``XDG_CACHE_HOME``.
    revision
        Branch, tag or commit of a repository of Hugging Face.
    sha256
        What the ``.zip`` or ``rdf.yaml`` should be, where you know it from elsewhere.
    offline
        Take what was brought before, and ask nobody.
    limit_gb
        Gigabytes that it may have.
    quiet
        Say nothing on the way.

    Returns
    -------
    Pulled
        ``ws.predict(pulled)``; ``pulled.model()`` opens it; a network of voxloop is also a start:
        ``vl.DeepConfig(start_from=str(pulled.path))``.

    Raises
    ------
    ModelError
        One sentence: not reached within seconds, not there, too large, cut short, another file than announced, a model
        that could run code, or no model. Nothing half fetched is left.

    Examples
    --------
    A model is fetched from elsewhere:

    >>> model = vl.pull("affable-shark")  # doctest: +SKIP
    >>> run = ws.predict(model)  # doctest: +SKIP
    """
    model = named(source, revision)
    offline, quiet = flag("offline", offline, error=ModelError), flag("quiet", quiet, error=ModelError)
    most, wanted = _bytes(limit_gb), _digest(sha256)
    folder = cache() / model.slug if to is None else path_of(to, error=ModelError)
    there = known(folder)
    if there is not None and there.source != str(model):
        there = None
    if offline:
        if there is None:
            raise ModelError(
                f"{model} was not pulled before, and offline=True asks nobody; pull it once with a network"
            )
        return there
    if to is not None and folder.exists() and there is None and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError(f"{folder} is in use; choose a folder that is not there yet")
    teller = Teller(quiet=quiet)
    try:
        with _fresh(folder) as new:
            found = _bring(model, new, most, wanted, teller)
            _check(found)
            found.note()
        pulled = replace(found, path=folder)
    except ModelError as error:
        if there is None:
            raise
        raise ModelError(f"{error}; what was pulled on {there.fetched[:10]} is still here: offline=True") from error
    finally:
        teller.close()
    teller.say(str(pulled))
    return pulled


def cache() -> Path:
    """The folder in which models of others are kept."""
    import pooch

    return Path(pooch.os_cache("voxloop")) / "models"


def _bytes(limit_gb: object) -> int:
    if isinstance(limit_gb, bool) or not isinstance(limit_gb, int | float) or not 0 < limit_gb < 1e4:
        raise ModelError(f"limit_gb={shown(limit_gb)} is no number of gigabytes above 0")
    return int(limit_gb * 1e9)


def _digest(sha256: object) -> Digest | None:
    if sha256 is None:
        return None
    text = str(sha256).lower()
    if len(text) != 64 or any(c not in "0123456789abcdef" for c in text):
        raise ModelError(f"sha256={shown(sha256)} is no sha256: that has 64 digits from 0 to f")
    return Digest("sha256", text)


@contextmanager
def _fresh(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of ``folder`` once all is well, and goes where it is not."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}.", dir=folder.parent))
    except OSError as error:
        raise ModelError(f"{folder.parent} cannot be written ({error.strerror}); give to= a folder of yours") from error
    try:
        yield new
        new.chmod(0o755)
        replace_folder(new, folder)
        shutil.rmtree(folder.with_name(f".{folder.name}.old"), ignore_errors=True)
    except OSError as error:
        raise ModelError(f"the model cannot be kept in {folder} ({error.strerror or error})") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _bring(model: Elsewhere, new: Path, most: int, wanted: Digest | None, teller: Teller) -> Pulled:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    about: dict[str, Any] = {"source": str(model), "fetched": now}
    if model.shop == "Hugging Face":
        found = _from_hub(model, new, most, teller, about)
    elif model.shop == "file":
        found = _from_file(Path(model.name), new, wanted, teller, about)
    else:
        found = _from_address(model, new, most, wanted, teller, about)
    return replace(found, size=sum(one.stat().st_size for one in new.rglob("*") if one.is_file()))


def _from_address(
    model: Elsewhere, new: Path, most: int, wanted: Digest | None, teller: Teller, about: dict[str, Any]
) -> Pulled:
    address = zoo.address_of(model.name) if model.shop == "bioimage.io" else model.name
    plain = address.partition("?")[0].lower()
    if model.shop == "address" and not plain.endswith((".yaml", ".yml", ".zip")):
        raise ModelError(f"{shown(model.name)} is neither an rdf.yaml nor a .zip; {WAYS}")
    if plain.endswith(".zip"):
        packed = fetch(address, new / "package.zip", most=most, wanted=wanted, progress=teller)
        return _opened(packed, new, about, teller)
    description = fetch(address, new / "rdf.yaml", most=min(most, zoo.MOST_TEXT), wanted=wanted, progress=teller)

    def bring(name: str, target: Path, file: Digest | None) -> Path:
        left = most - sum(one.stat().st_size for one in new.rglob("*") if one.is_file())
        return fetch(beside(address, name), target, most=max(left, 1), wanted=file, progress=teller)

    found = zoo.bring_package(description, bring, str(model), teller.say)
    return _package(new, found, about)


def _package(path: Path, found: zoo.PackageFacts, about: dict[str, Any]) -> Pulled:
    return Pulled(
        path=path,
        kind="package",
        title=found.title,
        licence=found.licence,
        authors=found.authors,
        **{"revision": found.version, **about},
    )


def _from_hub(model: Elsewhere, new: Path, most: int, teller: Teller, about: dict[str, Any]) -> Pulled:
    repository = hub.look(model)
    about["revision"] = repository.commit
    total = 0

    def bring(name: str, target: Path, file: Digest | None = None) -> Path:
        nonlocal total
        path = repository.bring(name, target, max(most - total, 1), teller)
        check_digest(path, file, name)
        total += path.stat().st_size
        return path

    description = next((name for name in _DESCRIPTIONS if name in repository.files), None)
    if "spec.json" in repository.files:
        ours = [name for name in hub.OURS if name in repository.files]
        whole = sum(repository.files[name].size for name in ours)
        if whole > most:
            raise ModelError(f"{model} has {whole / 1e9:,.1f} GB, more than limit_gb allows")
        terms = repository.licence or "not stated"
        teller.say(f"{model} by {repository.author}, licence {terms}: {sized(whole)} in {len(ours)} files")
        for name in ours:
            bring(name, new / name)
        others = sorted(set(repository.files) - {*ours, "README.md", ".gitattributes", "LICENSE"})
        title = repository.name.partition("/")[2]
        return Pulled(
            path=new,
            kind="model folder",
            title=title,
            licence=repository.licence,
            authors=(repository.author,),
            left_out=tuple(others[:20]),
            **about,
        )
    if description is None:
        some = ", ".join(list(repository.files)[:5]) or "nothing"
        raise ModelError(
            f"{model} holds no model that can be used here: neither spec.json of voxloop nor rdf.yaml of bioimage.io "
            f"({some}); others, such as PyTorch checkpoints, could run code"
        )
    folder = description.rpartition("/")[0]
    bring(description, new / "rdf.yaml")

    def beside_it(name: str, target: Path, file: Digest | None) -> Path:
        return bring(f"{folder}/{name}" if folder else name, target, file)

    found = zoo.bring_package(new / "rdf.yaml", beside_it, str(model), teller.say)
    return _package(new, replace(found, licence=found.licence or repository.licence), about)


def _from_file(path: Path, new: Path, wanted: Digest | None, teller: Teller, about: dict[str, Any]) -> Pulled:
    path = path_of(path, error=ModelError)
    if not path.exists():
        raise ModelError(f"there is no {path}; {WAYS}")
    if path.is_dir():
        for name in hub.OURS:
            if (path / name).is_file() and not (path / name).is_symlink():
                shutil.copyfile(path / name, new / name)
        if (new / "spec.json").exists():
            return Pulled(path=new, kind="model folder", title=path.name, **about)
        if not any((path / name).is_file() for name in _DESCRIPTIONS[:2]) and not list(path.glob("*.zip")):
            raise ModelError(f"{path} holds neither spec.json of voxloop nor rdf.yaml of bioimage.io: no model")
        path = described(path)
    check_digest(path, wanted, str(path))
    if path.suffix == ".zip":
        return _opened(Path(shutil.copyfile(path, new / "package.zip")), new, about, teller)
    shutil.copyfile(path, new / "rdf.yaml")
    home = path.parent.resolve()

    def bring(name: str, target: Path, file: Digest | None) -> Path:
        if not (home / name).is_file() or not (home / name).resolve().is_relative_to(home):
            raise ModelError(f"{path} names {name}, which is not beside it")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home / name, target)
        check_digest(target, file, name)
        return target

    return _package(new, zoo.bring_package(new / "rdf.yaml", bring, str(path), teller.say), about)


def _opened(packed: Path, new: Path, about: dict[str, Any], teller: Teller) -> Pulled:
    """What a ``.zip`` is: a package, which stays packed, or a model folder of voxloop, which is unpacked."""
    check_archive(packed, error=ModelError)
    try:
        with zipfile.ZipFile(packed) as archive:
            names = archive.namelist()
            if "spec.json" in names:
                for name in (one for one in hub.OURS if one in names):
                    with archive.open(name) as source, (new / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
            else:
                text = next((one for one in ("rdf.yaml", "bioimageio.yaml") if one in names), None)
                if text is None:
                    raise ModelError(f"{about['source']} holds neither rdf.yaml nor spec.json at its top: no model")
                if archive.getinfo(text).file_size > zoo.MOST_TEXT:
                    raise ModelError(f"the description in {about['source']} is too long to be one")
                (new / ".description").write_bytes(archive.read(text))
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as error:
        raise ModelError(f"{about['source']} is damaged ({error}); pull it again") from error
    if (new / "spec.json").exists():
        packed.unlink()
        others = tuple(sorted(set(names) - set(hub.OURS)))[:20]
        return Pulled(path=new, kind="model folder", title=Path(str(about["source"])).stem, left_out=others, **about)
    description = new / ".description"
    try:
        # what it names is in it already, or it is refused when it is opened
        found = zoo.bring_package(description, lambda name, target, file: target, str(about["source"]), teller.say)
    finally:
        description.unlink()
    return _package(new, found, about)


def _check(found: Pulled) -> None:
    """Open what came, once. Raises ModelError where that cannot be done."""
    if found.kind == "model folder":
        load_model(found.path)
        return
    require("packages of bioimage.io need", "bioimageio", "onnxruntime")
    from voxloop.deep.exchange.foreign import import_package

    # what it would measure is not known before there is an image; any numbers do to see whether it opens
    made = import_package(found.opened, found.path / MADE, statistics=(0.0, 1.0))
    if "measured" in made.spec.extra:
        shutil.rmtree(made.folder)
