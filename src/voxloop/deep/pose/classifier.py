"""A trained classifier of pictures on disk, and opened: pictures in, classes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.deep.pose.mark_model import MarkModel, checked_spec
from voxloop.errors import ConfigError, ModelError
from voxloop.model import ClassInfo, ModelSpec, Output

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from voxloop.deep.pose.pictures import AlbumPicture, Reader
    from voxloop.deep.pose.variation import WindowView


@dataclass(frozen=True, slots=True)
class PictureNetwork:
    """An opened classifier."""

    _network: Any
    _spec: ModelSpec
    _device: Any
    _precision: Any

    @property
    def names(self) -> tuple[str, ...]:
        """Classes, in the order of the answers."""
        return tuple(item.name for item in self._spec.classes)

    def classify(self, pictures: np.ndarray) -> np.ndarray:
        """Probabilities (n, class) of pictures (n, c, y, x) of raw grays."""
        import torch

        from voxloop.deep.networks.device import autocast, lay_out
        from voxloop.deep.transfer import sent

        pixels = self._shown(pictures)
        with torch.inference_mode(), autocast(self._device, self._precision):
            logits = self._network(lay_out(sent(pixels, self._device))).float()
        answer: np.ndarray = logits.softmax(1).cpu().numpy()
        return answer

    def looked_at(self, picture: np.ndarray, name: str) -> np.ndarray:
        """Where in a picture (c, y, x) the network saw a class: class activation map (y, x), 0 to 1 (Zhou et al. 2016).

        Raises ModelError where the network has no last layer over pooled features.
        """
        import torch
        from torch.nn import functional as F

        network = self._network
        last = network.get_classifier()
        if name not in self.names:
            raise ModelError(f"{name!r} is no class of this model; it knows {', '.join(self.names)}")
        if not isinstance(last, torch.nn.Linear):
            raise ModelError("this network has no single last layer; class activation maps need one")
        with torch.inference_mode():
            features = network.forward_features(self._shown(picture[None]).to(self._device))
            if features.ndim != 4:
                raise ModelError("this network keeps no map of features; class activation maps need one")
            weights = last.weight[self.names.index(name)]
            if features.shape[1] != len(weights):
                raise ModelError("this network changes its features before the last layer; there is no map of them")
            heat = torch.einsum("c,cyx->yx", weights, features[0]).clamp_min(0)
            heat = heat / heat.max().clamp_min(1e-6)
            side = max(picture.shape[-2:])
            large = F.interpolate(heat[None, None], (side, side), mode="bilinear", align_corners=False)[0, 0]
        top, left = ((side - n) // 2 for n in picture.shape[-2:])
        map_: np.ndarray = large.cpu().numpy()[top : top + picture.shape[-2], left : left + picture.shape[-1]]
        return map_

    def _shown(self, pictures: np.ndarray) -> Tensor:
        import torch

        from voxloop.deep.pose.pictures import Reader, pictures_of

        grays, side = self._spec.normalisation, int(self._spec.extra["side"])
        reader = Reader(grays["mean"], grays["std"])
        return torch.stack([shown_picture(one, reader, None, side) for one in pictures_of(pictures)])


class PictureModel(MarkModel):
    """A network that tells the class of pictures. Cheap to hold; the weights are read when it is opened."""

    @property
    def answers(self) -> str:
        return "this model tells the class of whole pictures, not of voxels; use ws.predict(run, ...)"

    @contextmanager
    def opened(
        self, device: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> Iterator[PictureNetwork]:
        """The network on a device; the thread count of torch is put back afterwards."""
        from voxloop.deep.networks.device import resolve_precision

        with self._on(device, threads) as where:
            yield PictureNetwork(self.network(where), self.spec, where, resolve_precision(precision, where))

    def network(self, device: torch.device) -> nn.Module:
        """The network in evaluation mode. Raises ModelError where the weights do not fit."""
        from voxloop.deep.networks.device import move_network

        spec = self.spec
        built = self._filled(lambda: build_classifier(spec.extra["network"], spec.channels, len(spec.classes), None))
        return move_network(built, device).eval()


def load(folder: str | Path) -> PictureModel:
    """Open a model folder. Raises ModelError where something is missing, truncated or changed."""
    folder = Path(folder)
    return PictureModel(checked_spec(folder, "side", "what it tells apart"), folder)


def build_classifier(name: str, channels: int, classes: int, weights: str | None) -> nn.Module:
    """A classifier of timm; ``weights`` as for :func:`voxloop.deep.networks.network.build`.

    Raises ConfigError where it is not known, or its weights cannot be had.
    """
    import timm

    from voxloop.deep.networks.downloads import soon
    from voxloop.deep.networks.imagenet import installed_weights
    from voxloop.deep.networks.weight_file import load_encoder

    if name not in timm.list_models():
        raise ConfigError(f"network {name!r} is not known to timm; use 'tf_efficientnet_lite0' or 'resnet18'")
    imagenet = weights == "imagenet"
    local = installed_weights(f"tu-{name}") if imagenet else weights
    online = imagenet and local is None
    try:
        with soon() if online else nullcontext():
            network: nn.Module = timm.create_model(name, pretrained=online, in_chans=channels, num_classes=classes)
    except Exception as error:  # timm and the hub raise whatever comes to hand
        text = " ".join(str(error).split())[:200]
        raise ConfigError(
            f"network {name!r} cannot be made ({text}); use network='tf_efficientnet_lite0', whose weights are "
            "installed, encoder_weights='', or a local .safetensors or .pth file"
        ) from error
    if local is not None:
        told = load_encoder(network, Path(local), name)
        network.origin = "" if imagenet else told  # type: ignore[assignment]
    return network


def shown_picture(picture: AlbumPicture, reader: Reader, view: WindowView | None, side: int) -> Tensor:
    """A picture (c, side, side) as the network sees it; as it is where ``view`` is None."""
    from voxloop.deep.pose.lessons import window_of
    from voxloop.deep.pose.variation import plain_view

    if view is None:
        scale = side / max(picture.shape[-2:])
        view = plain_view((side, side), [(n - 1) / 2 for n in picture.shape[-2:]], (scale, scale))
    return window_of(picture, reader, view, (side, side))


def picture_spec(name: str, classes: Sequence[ClassInfo], channels: int, settled: Mapping[str, Any]) -> ModelSpec:
    """What a trained classifier takes and gives."""
    return ModelSpec(
        learner="pictures",
        channels=channels,
        classes=tuple(classes),
        outputs=(Output(name="picture", kind="picture", channels=len(classes)),),
        halo=None,
        normalisation={"mean": settled["mean"], "std": settled["std"]},
        extra={
            "network": name,
            "side": settled["side"],
            "title": name,
            **({"window": settled["window"]} if "window" in settled else {}),
        },
    )
