"""Weights that a user has as a file: the tensors in it, by names without what trainings put before them.

Files of torch can run code, so only tensors are read of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from voxloop.archives import check_archive
from voxloop.errors import ConfigError

#: what names of tensors begin with, by who trained or wrapped the network
_PREFIXES = (
    "module.", "core.", "model.", "backbone.", "image_encoder.", "base_encoder.", "encoder_q.", "encoder.",
    "teacher.", "student.", "nodes.", "things.", "animals.",
)  # fmt: skip
#: where files of training keep the weights among other things
_WITHIN = ("state_dict", "model_state_dict", "model_state", "model", "teacher", "student")
#: the first bytes of a zip file, as torch writes them
_ZIP = b"PK\x03\x04"


def read_weights(path: Path, setting: str) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` file, or of one of torch that holds nothing else, by name.

    ``setting`` is what the file was named by, for the words of what is raised.

    Raises
    ------
    ConfigError
        There is no such file, it is none of weights, or it holds more than tensors.
    """
    from safetensors.torch import load_file

    path = path.expanduser()
    if not path.is_file():
        raise ConfigError(f"{setting}: there are no weights at {path}; name a .safetensors or .pth file that is there")
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with path.open("rb") as file:
            packed = file.read(len(_ZIP)) == _ZIP
        if packed:  # torch packs nothing smaller than it is
            check_archive(path, error=ConfigError, most=2 * path.stat().st_size)
        found = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251 (tensors alone)
    except ConfigError:
        raise
    except Exception as error:  # whatever a file from elsewhere makes of being read
        raise ConfigError(
            f"{setting}: {path} is no file of weights, or holds more than tensors, which could run code, so it is not "
            f"opened; save its state dict as .safetensors ({_first_line(error)})"
        ) from error
    for name in _WITHIN:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    members = found.items() if isinstance(found, Mapping) else ()
    tensors = {str(key): value for key, value in members if isinstance(value, Tensor)}
    if not tensors:
        raise ConfigError(f"{setting}: {path} holds no named tensors; save the state dict of the network")
    return tensors


def load_encoder(encoder: nn.Module, path: Path, name: str) -> str:
    """Copy what fits by name and shape, and say how much; a first layer of three channels is made to take others.

    ``name`` is what the encoder is called. Raises ConfigError where less than half of its tensors are there.
    """
    given: dict[str, Tensor] = {}
    for key, value in read_weights(path, "encoder_weights").items():
        given.setdefault(bare_name(key), value)
    expected = encoder.state_dict()
    fitting = {}
    for key, tensor in expected.items():
        weights = adapted(given.get(bare_name(key)), tensor)
        if weights is not None and weights.shape == tensor.shape:
            fitting[key] = weights
    if len(fitting) < len(expected) / 2:
        raise ConfigError(
            f"encoder_weights {str(path)!r} fit {len(fitting)} of the {len(expected)} tensors of {name!r}; they are "
            "of another encoder"
        )
    encoder.load_state_dict(fitting, strict=False)
    recoloured = [key for key, value in fitting.items() if given[bare_name(key)].shape != value.shape]
    words = f"{len(fitting)} of {len(expected)} tensors of the encoder come from {path}"
    if not recoloured:
        return words
    channels = expected[recoloured[0]].shape[1]
    return f"{words}; its first layer, for colours, was made to take {channels} channel{'s' * (channels > 1)}"


def adapted(stored: Tensor | None, expected: Tensor) -> Tensor | None:
    """Weights that fit a tensor: as they are, or for other channels than red, green and blue; None where none do.

    One channel takes the sum of the three, more take them in turn, so that sums stay what they were
    (segmentation-models-pytorch does so with weights that it downloads).
    """
    if stored is None or stored.shape == expected.shape:
        return stored
    if stored.ndim < 3 or stored.shape[1] != 3 or stored[:, 0].shape != expected[:, 0].shape:
        return None
    channels = expected.shape[1]
    if channels == 1:
        return stored.sum(1, keepdim=True)
    return stored[:, torch.arange(channels) % 3] * (3 / channels)


def bare_name(name: str) -> str:
    """The name of a tensor without what wrappers and trainings put before it; ``stages_0.`` is ``stages.0.``."""
    while prefix := next((one for one in _PREFIXES if name.startswith(one)), None):
        name = name.removeprefix(prefix)
    return re.sub(r"^([a-z]+)_(\d+)\.", r"\1.\2.", name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
