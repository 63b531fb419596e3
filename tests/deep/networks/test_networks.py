"""Networks by name: every architecture, any size, any channel count; messages where they cannot be had."""

from __future__ import annotations

import os
import socket
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from voxloop.config.network import PLANAR
from voxloop.deep.networks.network import NetworkConfig, build, count_parameters, receptive_field
from voxloop.deep.pose.classifier import build_classifier
from voxloop.errors import ConfigError

TINY = "tu-test_efficientnet"
ENCODERS = {"DPT": "tu-test_vit", "Segformer": "mit_b0"}


def config(architecture: str = "Unet", **changes: object) -> NetworkConfig:
    encoder = ENCODERS.get(architecture, TINY)
    values = {"encoder": encoder, "channels": 1, "outputs": 2, "decoder_width": 0.0625, **changes}
    return NetworkConfig(architecture=architecture, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("architecture", PLANAR)
def test_one_step_at_batch_one_and_any_size(architecture: str) -> None:
    torch.manual_seed(0)
    network = build(config(architecture, channels=3))
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    before = [p.detach().clone() for p in network.parameters()]
    network(torch.randn(1, 3, 64, 64)).square().mean().backward()
    optimiser.step()
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    network.eval()
    with torch.inference_mode():
        for size in ((45, 77), (131, 64), (7, 9)):
            out = network(torch.randn(1, 3, *size))
            assert out.shape == (1, 2, *size)
            assert torch.isfinite(out).all()


@pytest.mark.parametrize("architecture", PLANAR)
def test_fewer_levels_make_a_smaller_network_of_the_same_kind(architecture: str) -> None:
    encoder = ENCODERS.get(architecture, "tu-test_resnet")
    sizes = []
    for depth in (3, 4, 5):
        network = build(config(architecture, encoder=encoder, depth=depth))
        assert network.train()(torch.randn(1, 1, 70, 90)).shape == (1, 2, 70, 90)
        sizes.append(count_parameters(network))
    assert sizes[0] <= min(sizes)
    assert (sizes[0] == sizes[1]) == (architecture in ("PSPNet", "DPT"))


def test_the_receptive_field_grows_with_the_levels() -> None:
    found = [receptive_field(build(config(encoder="tu-test_resnet", depth=depth)), 1) for depth in (3, 4, 5)]
    assert found[0] < found[1] < found[2]


def test_resolutions_that_an_encoder_lacks_are_said() -> None:
    with pytest.raises(ConfigError, match="FPN builds on four resolutions"):
        build(config("FPN", encoder="tu-test_convnext", depth=4))


@pytest.mark.parametrize("architecture", ["Unet", "UnetPlusPlus", "Linknet"])
def test_receptive_field_is_what_a_changed_voxel_reaches(architecture: str) -> None:
    torch.manual_seed(0)
    network = build(config(architecture, encoder="tu-test_resnet")).eval()
    reach = receptive_field(network, 1)
    assert reach is not None
    picture = torch.randn(1, 1, 64, 1024)
    changed = picture.clone()
    changed[..., 512] += 100.0
    with torch.inference_mode():
        moved = (network(picture) != network(changed)).any(dim=(1, 2))[0].nonzero()
    assert max(512 - int(moved.min()), int(moved.max()) - 512) <= reach


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("PSPNet", "tu-test_resnet"), ("FPN", "tu-test_resnet"), ("DPT", "tu-test_vit"), ("Unet", "tu-test_efficientnet")],
    ids=["pooling", "group norm", "attention", "squeeze and excitation"],
)
def test_what_reaches_everywhere_has_no_receptive_field(architecture: str, encoder: str) -> None:
    assert receptive_field(build(config(architecture, encoder=encoder)), 1, limit=256) is None


def test_unknown_encoder_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'resnet18'"):
        build(config(encoder="resnet81"))


def test_encoder_that_does_not_fit_is_said() -> None:
    with pytest.raises(ConfigError, match="'resnet18' does not fit DPT"):
        build(config("DPT", encoder="resnet18"))


def test_encoder_weights_from_a_file(tmp_path: Path) -> None:
    source = build(config())
    file = tmp_path / "encoder.safetensors"
    save_file({n: t.contiguous() for n, t in source.core.encoder.state_dict().items()}, file)
    torch.manual_seed(1)
    taken = build(config("FPN"), str(file))
    for name, tensor in source.core.encoder.state_dict().items():
        assert torch.equal(taken.core.encoder.state_dict()[name], tensor), name


@pytest.mark.parametrize(("channels", "file"), [(1, "encoder.pth"), (6, "encoder.safetensors")])
def test_encoder_weights_for_colours_see_the_same_in_gray_pictures(tmp_path: Path, channels: int, file: str) -> None:
    colours = build(config(encoder="resnet18", channels=3)).core.encoder.eval()
    state = {f"module.backbone.{name}": value for name, value in colours.state_dict().items()}
    if file.endswith(".pth"):
        torch.save({"epoch": 3, "teacher": state, "student": {}}, tmp_path / file)
    else:
        save_file(state, tmp_path / file)
    network = build(config(encoder="resnet18", channels=channels), str(tmp_path / file))
    assert network.origin.startswith(f"{len(state)} of {len(state)} tensors of the encoder come from")
    assert f"was made to take {channels} channel" in network.origin
    taken = network.core.encoder
    gray = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        features = taken.eval()(gray.expand(-1, channels, -1, -1))
        wanted = colours(gray.expand(-1, 3, -1, -1))
    assert all(torch.allclose(*pair, atol=1e-4) for pair in zip(features[1:], wanted[1:], strict=True))


def test_encoder_weights_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there are no weights at"):
        build(config(), str(tmp_path / "none.safetensors"))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00not a header")
    with pytest.raises(ConfigError, match="is no file of weights"):
        build(config(), str(broken))
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, other)
    with pytest.raises(ConfigError, match="another encoder"[:7]):
        build(config(), str(other))


class _Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> object:
        return Path.touch, (self.made,)


def test_weights_of_somebody_else_run_no_code_and_fill_no_memory(tmp_path: Path) -> None:
    made, file = tmp_path / "made", tmp_path / "weights.pth"
    hostile = {"state_dict": {"conv1.weight": torch.zeros(3)}, "more": _Hostile(made)}
    for zipped in (True, False):
        torch.save(hostile, file, _use_new_zipfile_serialization=zipped)
        with pytest.raises(ConfigError, match="could run code, so it is not opened"):
            build(config(), str(file))
    assert not made.exists()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", b"")
        archive.writestr("weights/data/0", bytes(1 << 22))
    with pytest.raises(ConfigError, match="would unpack to"):
        build(config(), str(file))
    torch.save([torch.zeros(3)], file)
    with pytest.raises(ConfigError, match="holds no named tensors"):
        build(config(), str(file))
    file.unlink()
    os.mkfifo(file)  # nobody waits for what never comes
    with pytest.raises(ConfigError, match="there are no weights at"):
        build(config(), str(file))
    assert not made.exists()


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
def test_weights_are_not_asked_for_again_and_again_where_there_is_no_network(
    encoder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from voxloop.deep.networks import downloads

    asked: list[object] = []

    def away(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "create_connection", away)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **_: away(given))
    monkeypatch.setattr(downloads, "getproxies", dict)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=r"could not be downloaded.*local \.safetensors or \.pth file"):
        build(config(encoder=encoder), "imagenet")
    with pytest.raises(ConfigError, match=r"resnet18.*local \.safetensors or \.pth file"):
        build_classifier("resnet18", 1, 2, "imagenet")
    assert asked == 2 * [("huggingface.co", 443)]
