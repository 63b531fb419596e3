"""A trained network of timm that learns nothing any more: what it sees at voxels of a volume, plane by plane.

Its weights are a file of the user's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import torch

from voxloop.deep.networks.imagenet import OFFLINE_ENCODER, installed_weights
from voxloop.deep.networks.weight_file import bare_name, read_weights
from voxloop.errors import ConfigError
from voxloop.geometry import Box, Shape

#: pixels a side that a network is shown where it takes any, and of these the margin that is not asked about
SIDE, MARGIN = 256, 32
#: maps of a network that is coarser than this tell nothing of a voxel; the last of several alike that are taken
COARSEST, ALIKE = 16, 4
#: share of a network's tensors that must be in a file for it to be its weights
FITS = 0.9


class SeenVolume(Protocol):
    """A volume of ``shape`` (z, y, x): ``read(box)`` gives normalised float32 blocks (c, z, y, x)."""

    @property
    def read(self) -> Callable[[Box], np.ndarray]: ...
    @property
    def shape(self) -> Shape: ...


@dataclass(frozen=True, eq=False)
class FrozenEncoder:
    """A network that is asked what it sees. ``side`` is the side of the picture that it is shown, in pixels."""

    network: Any
    side: int
    margin: int

    def at(self, source: SeenVolume, at: np.ndarray) -> np.ndarray:
        """Features (n, features) float32 of voxels ``at`` (n, 3) zyx; each tile of a plane is shown once."""
        core = self.side - 2 * self.margin
        out: np.ndarray | None = None
        for box, members in _tiles(at, source.shape, core):
            around = box.grow((0, self.margin, self.margin)).clip(source.shape)
            plane = source.read(around)[:, 0].mean(axis=0)
            before = [first - inner for first, inner in zip(around.start[1:], box.start[1:], strict=True)]
            maps = self._see(plane)
            local = at[members, 1:] - np.array(box.start[1:]) - np.array(before)
            seen = np.concatenate([_read_at(one, local, self.side) for one in maps], axis=1)
            if out is None:
                out = np.empty((len(at), seen.shape[1]), np.float32)
            out[members] = seen
        assert out is not None
        return out

    def _see(self, plane: np.ndarray) -> list[torch.Tensor]:
        """Maps (channels, rows, columns) of a plane (y, x) in deviations, mirrored up to the side."""
        missing = [(0, self.side - size) for size in plane.shape]
        shown = torch.from_numpy(np.pad(np.clip(plane, -4, 4).astype(np.float32), missing, mode="symmetric"))
        with torch.inference_mode():
            # gray in every channel; the filters' normalisation is about that of ImageNet: mean 0, deviation 1
            maps = self.network.forward_intermediates(
                shown.expand(1, 3, -1, -1), intermediates_only=True, output_fmt="NCHW"
            )
        fine = [one[0] for one in maps if self.side / one.shape[-1] <= COARSEST]
        alike = [one for one in fine if one.shape == fine[-1].shape]
        return alike[-ALIKE:] if len(alike) > ALIKE else fine


def open_encoder(name: str, weights: str) -> FrozenEncoder:
    """The network ``name`` of timm with the weights in a file, or ``"imagenet"`` for installed ones.

    Raises
    ------
    ConfigError
        timm knows no such network, or the file is none of its weights.
    """
    import timm

    try:
        network = timm.create_model(name, pretrained=False).eval()
    except RuntimeError as error:
        raise ConfigError(f"network {name!r} is not known to timm; use 'tf_efficientnet_lite0'") from error
    if not hasattr(network, "forward_intermediates"):
        raise ConfigError(f"network {name!r} does not give what it sees on the way; use 'tf_efficientnet_lite0'")
    path = installed_weights(f"tu-{name}") if weights == "imagenet" else Path(weights)
    if path is None:
        raise ConfigError(
            f"weights 'imagenet' are installed for {OFFLINE_ENCODER.removeprefix('tu-')!r} alone, not for {name!r}; "
            "name a file of its weights"
        )
    _fill(network, read_weights(path, "network_weights"), name, path)
    facts = cast("dict[str, Any]", network.pretrained_cfg)
    if facts.get("fixed_input_size"):
        side = int(facts["input_size"][-1])
        return FrozenEncoder(network, side, side // 14)
    return FrozenEncoder(network, SIDE, MARGIN)


def _fill(network: Any, tensors: Mapping[str, torch.Tensor], name: str, path: Path) -> None:
    """Put tensors into a network, by name, or by order where names are another's. Raises ConfigError."""
    own = network.state_dict()
    wanted = {key: value for key, value in own.items() if value.ndim and not key.startswith(("head", "classifier"))}
    given = {_plain(key): value for key, value in tensors.items()}
    found = {key: given.get(_plain(key)) for key in wanted}
    fitting = {key: value for key, value in found.items() if value is not None and value.shape == wanted[key].shape}
    if len(fitting) < FITS * len(wanted):
        ordered = [value for value in tensors.values() if value.ndim]
        shapes = [value.shape for value in own.values() if value.ndim]
        if [value.shape for value in ordered] == shapes:
            fitting = dict(zip((key for key, value in own.items() if value.ndim), ordered, strict=True))
    if len(fitting) < FITS * len(wanted):
        raise ConfigError(
            f"{path} fits {len(fitting)} of the {len(wanted)} tensors of network {name!r}; name the network of timm "
            "that the weights are of"
        )
    network.load_state_dict(fitting, strict=False)


def _tiles(at: np.ndarray, shape: Shape, side: int) -> Iterator[tuple[Box, np.ndarray]]:
    """The tiles of planes that hold some of the voxels ``at`` (n, 3), each with the positions of these."""
    cells, owners = np.unique(at // np.array([1, side, side]), axis=0, return_inverse=True)
    for number, (z, y, x) in enumerate(cells.tolist()):
        yield Box.at((z, y * side, x * side), (1, side, side)).clip(shape), np.flatnonzero(owners.reshape(-1) == number)


def _plain(name: str) -> str:
    """The name of a tensor without what the file of a training puts before it, as timm says it."""
    return bare_name(name).replace(".mlp.lin1.", ".mlp.fc1.").replace(".mlp.lin2.", ".mlp.fc2.")


def _read_at(one: torch.Tensor, at: np.ndarray, side: int) -> np.ndarray:
    """A map (channels, rows, columns) of a picture of ``side`` pixels, read between its cells at pixels (n, 2)."""
    places = torch.from_numpy(((at + 0.5) / side * 2 - 1).astype(np.float32))
    grid = places[:, [1, 0]][None, None]
    read = torch.nn.functional.grid_sample(one[None].float(), grid, padding_mode="border", align_corners=False)
    return np.ascontiguousarray(read[0, :, 0].T.numpy())
