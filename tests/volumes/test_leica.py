"""Leica's LIF, made to the letter of its layout since no real file can be had here: XML, then a block an image."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from voxloop.errors import VolumeError
from voxloop.volumes import open_volume, spacing_of

pytest.importorskip("bioio_lif")

STACK = np.random.default_rng(0).integers(0, 60_000, (3, 16, 20)).astype(np.uint16)
SIZE_UM = (0.5, 0.2, 0.1)


def dimension(number: int, count: int, size_um: float, step: int) -> str:
    """One axis: 1 x, 2 y, 3 z; the length reaches from the first voxel's centre to the last one's."""
    return (
        f'<DimensionDescription DimID="{number}" NumberOfElements="{count}" Origin="0" '
        f'Length="{(count - 1) * size_um * 1e-6:.9e}" Unit="m" BitInc="0" BytesInc="{step}"/>'
    )


def element(name: str, number: int, data: np.ndarray) -> str:
    channels, depth, rows, columns = data.shape
    row, plane = columns * 2, rows * columns * 2
    listed = "".join(
        '<ChannelDescription DataType="0" ChannelTag="0" Resolution="16" NameOfMeasuredQuantity="" Min="0" Max="65535" '
        f'Unit="" LUTName="Gray" IsLUTInverted="0" BytesInc="{channel * plane * depth}" BitInc="0"/>'
        for channel in range(channels)
    )
    z, y, x = SIZE_UM
    axes = dimension(1, columns, x, 2) + dimension(2, rows, y, row) + dimension(3, depth, z, plane)
    return (
        f'<Element Name="{name}" Visibility="1" UniqueID="{number}"><Data><Image><ImageDescription>'
        f"<Channels>{listed}</Channels><Dimensions>{axes}</Dimensions></ImageDescription></Image></Data>"
        f'<Memory Size="{data.nbytes}" MemoryBlockID="MemBlock_{number}"/></Element>'
    )


def write(path: Path, **images: np.ndarray) -> Path:
    """A file of images (c, z, y, x) by name."""
    inner = "".join(element(name, number, data) for number, (name, data) in enumerate(images.items(), 1))
    xml = (
        '<LMSDataContainerHeader Version="2"><Element Name="a" UniqueID="0"><Memory Size="0" '
        f'MemoryBlockID="MemBlock_0"/><Children>{inner}</Children></Element></LMSDataContainerHeader>'
    )
    text = xml.encode("utf-16-le")
    parts = [struct.pack("<iibi", 0x70, 5 + len(text), 0x2A, len(xml)) + text]
    for number, data in enumerate(images.values(), 1):
        name = f"MemBlock_{number}"
        words = name.encode("utf-16-le")
        parts.append(struct.pack("<iibqbi", 0x70, 14 + len(words), 0x2A, data.nbytes, 0x2A, len(name)))
        parts += [words, np.ascontiguousarray(data).tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def test_images_channels_and_sizes_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.lif", first=STACK[None], second=np.stack([STACK, STACK[::-1]]))
    with pytest.raises(VolumeError, match=r"several datasets.*'first'.*'second'"):
        open_volume(path)
    first, second = open_volume(path, dataset="first"), open_volume(path, dataset="second")
    np.testing.assert_array_equal(first.values, STACK)
    np.testing.assert_array_equal(second.values, [STACK, STACK[::-1]])
    for volume in (first, second):
        np.testing.assert_allclose(spacing_of(volume), SIZE_UM)
        assert volume.attrs["spacing_from"] == "metadata"


def test_a_file_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.lif", only=STACK[None])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(VolumeError, match=r"a\.lif"):
        open_volume(path).load()
