"""Repositories of Hugging Face, through its own client. Tokens stay in its hands: none is kept or said here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxloop.errors import ModelError
from voxloop.exchange.fetching import CONNECT_S, Digest, Progress, fetch
from voxloop.exchange.naming import Elsewhere
from voxloop.extras import require

#: what belongs to a model folder of voxloop; nothing else is fetched or sent
OURS = (
    "spec.json", "weights.safetensors", "model.onnx", "perceptron.npz", "classifier.skops", "projection.npz",
    "samples.npz",
)  # fmt: skip
#: how people get leave
LOG_IN = "log in with 'hf auth login', or set HF_TOKEN; voxloop keeps no token"
_TOKEN = re.compile(r"hf_\w+|Bearer\s+\S+")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository: bytes, and what it should be."""

    name: str
    size: int
    wanted: Digest | None


@dataclass(frozen=True, slots=True)
class Repository:
    """What the hub says of a repository at one commit."""

    name: str
    commit: str
    files: Mapping[str, HubFile]
    licence: str
    author: str

    def bring(self, name: str, target: Path, most: int, progress: Progress) -> Path:
        """Fetch one of its files. Raises ModelError."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils._headers import build_hf_headers

        found = self.files.get(name)
        if found is None:
            raise ModelError(f"{self.name} has no file {name}; it is not whole")
        address = hf_hub_url(self.name, name, revision=self.commit, endpoint=endpoint())
        return fetch(address, target, most=most, wanted=found.wanted, headers=build_hf_headers(), progress=progress)


def endpoint() -> str:
    """Where the hub is: ``HF_ENDPOINT``, or its own."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def look(model: Elsewhere) -> Repository:
    """What a repository holds, without fetching a file of it. Raises ModelError."""
    with said(model.name):
        info = client().model_info(model.name, revision=model.revision, files_metadata=True, timeout=CONNECT_S * 2)
    files = {}
    for one in info.siblings or ():
        lfs = one.lfs
        wanted = Digest("sha256", lfs.sha256) if lfs else Digest("git", one.blob_id) if one.blob_id else None
        files[one.rfilename] = HubFile(one.rfilename, int((lfs.size if lfs else one.size) or 0), wanted)
    card: Any = info.card_data
    licence = str(getattr(card, "license", "") or "") if card else ""
    return Repository(
        name=model.name,
        commit=str(info.sha),
        files=files,
        licence=licence[:80],
        author=str(info.author or model.name.partition("/")[0])[:80],
    )


def client() -> Any:
    """The hub's own client, with whatever leave it has by itself."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=endpoint(), library_name="voxloop")


@contextmanager
def said(name: str) -> Iterator[None]:
    """Errors of the client as one sentence each, without what must stay secret."""
    require("Hugging Face needs", "huggingface_hub")
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelError(
            f"{name} is only for those who accepted its terms: do so on its page, then {LOG_IN}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise ModelError(f"there is no {name} on Hugging Face, or it is private: {LOG_IN}") from error
    except errors.RevisionNotFoundError as error:
        raise ModelError(f"{name} has no such revision; leave it out for the newest") from error
    except errors.LocalTokenNotFoundError as error:
        raise ModelError(f"{name} wants to know who you are: {LOG_IN}") from error
    except errors.OfflineModeIsEnabled as error:
        raise ModelError(f"{name} is not looked for: HF_HUB_OFFLINE is set") from error
    except errors.HfHubHTTPError as error:
        code = getattr(error.response, "status_code", "an error")
        if code in (401, 403):
            raise ModelError(f"you have no leave to do that with {name}: {LOG_IN}") from error
        raise ModelError(f"Hugging Face fails with {name} (it says {code}); try again later") from error
    except Exception as error:  # what carries its words differs between its versions, and so do the errors
        raise ModelError(f"Hugging Face cannot be reached for {name} ({secret_free(error)})") from error


def secret_free(error: Exception) -> str:
    """The words of an error without anything that looks like a token."""
    words = " ".join(str(error).split())
    for name in ("HF_TOKEN", "BIOIMAGEIO_HYPHA_UPLOAD_TOKEN"):
        if token := os.environ.get(name):
            words = words.replace(token, "…")
    return _TOKEN.sub("…", words)[:160] or type(error).__name__


@contextmanager
def _without_bars(quiet: bool) -> Iterator[None]:
    """The client draws its own bars, for the whole process or not at all."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    change = quiet and not are_progress_bars_disabled()
    if change:
        disable_progress_bars()
    try:
        yield
    finally:
        if change:
            enable_progress_bars()


def upload(folder: Path, name: str, *, private: bool, message: str, quiet: bool) -> tuple[str, str]:
    """Send the files of a folder as one commit; address and commit. Raises ModelError."""
    with said(name), _without_bars(quiet):
        hub = client()
        hub.create_repo(name, private=private, exist_ok=True, repo_type="model")
        done = hub.upload_folder(repo_id=name, folder_path=folder, commit_message=message, repo_type="model")
    return f"{endpoint()}/{name}", str(done.oid)
