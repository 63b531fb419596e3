"""The verb ``push``: a model of yours for others, on Hugging Face or bioimage.io. Sends only what was named."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.errors import ModelError
from voxloop.exchange import hub
from voxloop.exchange.naming import named
from voxloop.exchange.telling import Teller, sized
from voxloop.extras import require
from voxloop.given import flag, path_of, shown
from voxloop.model import ModelSpec, load_model, read_spec
from voxloop.runs import Run
from voxloop.runs.outcome import model_folder
from voxloop.store.values import text

if TYPE_CHECKING:
    from voxloop.model import Model

#: what remembers what a classifier learnt from: numbers made of your images
SAMPLES = "samples.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """A model that was sent: where others find it, its commit, and the bytes by file."""

    address: str
    revision: str
    files: dict[str, int]
    private: bool

    def __str__(self) -> str:
        who = "only you and those you invite" if self.private else "everybody"
        size = sized(sum(self.files.values()))
        return f"{self.address} ({self.revision[:12]}): {size} in {len(self.files)} files, for {who}"


def push(
    model: Run | Model | str | Path,
    to: str,
    *,
    licence: str = "",
    authors: Sequence[str] = (),
    description: str = "",
    public: bool = False,
    samples: bool = False,
    message: str = "",
    quiet: bool = False,
) -> Pushed:
    """Send a model to a repository of Hugging Face, or a package to bioimage.io.

    Its files cannot run code; a README says classes, voxel size, what goes in and how to pull it. Who you are is
    the business of the other side's own client (``hf auth login`` or ``HF_TOKEN``; for bioimage.io
    ``BIOIMAGEIO_HYPHA_UPLOAD_TOKEN``): no token is taken, kept or said here.

    Parameters
    ----------
    model
        A run, a model, a model folder; for bioimage.io the ``.zip`` that ``ws.export_model`` wrote.
    to
        ``"hf:you/model"``, made where it is not there yet, or ``"bioimage.io"``, where editors look at it first.
    licence
        Such as ``"cc-by-4.0"`` or ``"bsd-3-clause"``. Wanted where ``public``: without one nobody may use it.
    authors, description
        What the README says of it.
    public
        Everybody sees it. False: you and those you invite, where the repository is new.
    samples
        Send also the numbers that a pixel classifier learnt from, so that others can start from it. They are made of
        your images.
    message
        Of the commit.
    quiet
        Say nothing on the way.

    Raises
    ------
    ModelError
        No model, no leave, no network: one sentence.

    Examples
    --------
    A repository of yours is written:

    >>> vl.push(ws.runs["shallow-1"], "hf:you/membranes", licence="cc-by-4.0")  # doctest: +SKIP
    """
    public, samples = flag("public", public, error=ModelError), flag("samples", samples, error=ModelError)
    licence, description = (
        text(what, said, error=ModelError) for what, said in (("licence", licence), ("description", description))
    )
    message, by = text("message", message, error=ModelError), _names(authors)
    teller = Teller(quiet=flag("quiet", quiet, error=ModelError))
    if isinstance(to, str) and to == "bioimage.io":
        return _to_zoo(model, teller)
    target = named(to)
    # said in full: a slip of the pen must not become a repository of somebody
    if target.shop != "Hugging Face" or target.revision or not to.startswith(("hf:", "huggingface:", "https:")):
        raise ModelError(f"{shown(to)} is no place to push to; give 'hf:you/model', or 'bioimage.io'")
    if public and not licence:
        raise ModelError("without a licence nobody may use a public model; give one, such as licence='cc-by-4.0'")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        spec = _gather(model, folder, samples=samples)
        about = card(spec, target.name, licence, by, description)
        (folder / "README.md").write_bytes(about.encode(errors="backslashreplace"))
        files = {one.name: one.stat().st_size for one in sorted(folder.iterdir())}
        teller.say(f"{target}: {sized(sum(files.values()))}")
        address, commit = hub.upload(
            folder, target.name, private=not public, message=message or "Add a model of voxloop", quiet=quiet
        )
    done = Pushed(address=address, revision=commit, files=files, private=not public)
    teller.say(str(done))
    return done


def _names(given: object) -> list[str]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list | tuple):
        raise ModelError(f"authors={shown(given)} are no names; give a list of texts")
    return [text("authors", one, error=ModelError) for one in given]


def _gather(model: Any, folder: Path, *, samples: bool) -> ModelSpec:
    """Put the files of a model into a folder, those that can be opened alone. Raises ModelError."""
    if isinstance(model, Run):
        model = model_folder(model.path)
    if isinstance(model, str | os.PathLike):
        source = path_of(model, error=ModelError)
        read_spec(source)  # says what is missing
        folder.mkdir(parents=True)
        if samples and not (source / SAMPLES).is_file():
            raise ModelError("this model kept no samples; train it with keep_samples=True, or leave samples=False")
        for name in hub.OURS:
            if (source / name).is_file() and (name != SAMPLES or samples):
                shutil.copyfile(source / name, folder / name)
    elif hasattr(model, "save"):
        model.save(folder)
    else:
        raise ModelError(f"{shown(model)} is no model; give a run, a model, or a model folder")
    return load_model(folder).spec


def card(spec: ModelSpec, name: str, licence: str, authors: Sequence[str], description: str) -> str:
    """The README of a repository, with what the hub reads of it in front."""
    import yaml

    names = [one.name for one in spec.classes]
    front: dict[str, Any] = {"library_name": "voxloop", "tags": ["voxloop", "image-segmentation", "microscopy"]}
    if licence:
        front["license"] = licence
    size = " × ".join(f"{step:g}" for step in spec.spacing_um) + " µm (z, y, x)" if spec.spacing_um else "not stated"
    title = spec.extra.get("title") or spec.extra.get("classifier") or spec.learner
    lines = [
        f"# {name.partition('/')[2]}",
        description or f"Tells apart {', '.join(names)} in image volumes.",
        *([f"By {', '.join(authors)}."] if authors else []),
        "| | |\n|---|---|",
    ]
    table = {
        "kind": f"{spec.learner}: {title}",
        "takes": f"{spec.channels} channel(s) of raw intensities, {spec.dimensions}-D",
        "voxel size it learnt at": size,
        "classes": ", ".join(names),
        "hash": spec.hash,
    }
    rows = "\n".join(f"| {key} | {str(value).replace('|', '/')} |" for key, value in table.items())
    lines[-1] = f"{lines[-1]}\n{rows}"
    lines += [
        "```python\nimport voxloop as vl\n"
        f'model = vl.pull("hf:{name}")\nws.predict(model)            # in a workspace of yours\n```',
        "The files hold numbers and settings, and no code.",
    ]
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False)
    return f"---\n{head}---\n" + "\n\n".join(lines) + "\n"


def _to_zoo(package: Any, teller: Teller) -> Pushed:
    """Send a package to bioimage.io, where editors look at it. Raises ModelError."""
    path = path_of(package, error=ModelError) if isinstance(package, str | os.PathLike) else None
    if path is None or path.suffix != ".zip" or not path.is_file():
        raise ModelError(
            "bioimage.io takes packages: write one with ws.export_model(run, 'model.zip') and push that file"
        )
    if not os.environ.get("BIOIMAGEIO_HYPHA_UPLOAD_TOKEN"):
        raise ModelError(
            "bioimage.io wants to know who you are: set BIOIMAGEIO_HYPHA_UPLOAD_TOKEN to a token from "
            "https://bioimage.io/#/api?tab=hypha-rpc; voxloop keeps none"
        )
    require("bioimage.io needs", "bioimageio")
    from bioimageio.spec import upload

    teller.say(f"{path.name}: {sized(path.stat().st_size)} to bioimage.io")
    try:
        address = upload(path)
    except Exception as error:  # httpx, pydantic and its own
        raise ModelError(f"bioimage.io did not take {path.name} ({hub.secret_free(error)})") from error
    return Pushed(address=str(address), revision="", files={path.name: path.stat().st_size}, private=False)
