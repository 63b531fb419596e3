"""Packages as others write them: tiny networks of one convolution, described with bioimageio.spec."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from bioimageio.spec import save_bioimageio_package
from bioimageio.spec.model import v0_5 as b
from onnx import TensorProto, helper, numpy_helper


def net(path: Path, dimensions: int = 2, outputs: int = 2, ends: str = "", layout: str = "", grown: int = 0) -> Path:
    """An ONNX file of one convolution (3 voxels a side); ``layout``: axes that it takes and gives, as ``byxc``."""
    plain = "bczyx"[:2] + "zyx"[-dimensions:]
    layout = layout or plain
    weight = np.random.default_rng(0).normal(0, 1, (outputs, 1, *[3] * dimensions)).astype(np.float32)
    free: list[Any] = [None if axis != "c" else 1 for axis in layout]
    alone = "b" not in layout
    full = "b" * alone + layout
    attributes: dict[str, Any] = {
        "Softmax": {"axis": 1},
        "AveragePool": {"kernel_shape": [2] * dimensions, "strides": [2] * dimensions},
    }
    nodes = [
        helper.make_node("Unsqueeze" if alone else "Identity", ["x", "first"] if alone else ["x"], ["u"]),
        helper.make_node("Transpose", ["u"], ["a"], perm=[full.index(axis) for axis in plain]),
        helper.make_node("Conv", ["a", "w"], ["v"], pads=[1 - grown] * 2 * dimensions),
        helper.make_node(ends or "Identity", ["v"], ["p"], **attributes.get(ends, {})),
        helper.make_node("Transpose", ["p"], ["t"], perm=[plain.index(axis) for axis in full]),
        helper.make_node("Squeeze" if alone else "Identity", ["t", "first"] if alone else ["t"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, free)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(layout))],
        [numpy_helper.from_array(weight, "w"), *[numpy_helper.from_array(np.array([0]), "first")] * alone],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), str(path))
    return path


def package(
    folder: Path,
    *,
    before: list[Any] | None = None,
    after: list[Any] | None = None,
    names: tuple[str, ...] = ("a", "b"),
    size: Any = None,
    halo: int = 0,
    offset: int = 0,
    zoom: float = 1.0,
    unit: str = "nanometer",
    **network: Any,
) -> Path:
    """A package of a network: ``before`` and ``after`` it are the steps given; ``network`` as in :func:`net`."""
    import onnxruntime

    folder.mkdir(parents=True, exist_ok=True)
    graph = net(folder / "weights.onnx", outputs=len(names), **network)
    dimensions = network.get("dimensions", 2)
    layout = network.get("layout") or "bczyx"[:2] + "zyx"[-dimensions:]
    size = size or b.ParameterizedSize(min=16, step=8)
    side = size if isinstance(size, int) else size.get_size(2)
    sizes = dict.fromkeys("zyx", side) | {"b": 1, "c": 1}
    x = np.random.default_rng(1).normal(100, 20, [sizes[axis] for axis in layout]).astype(np.float32)
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", onnxruntime.InferenceSession(str(graph)).run(None, {"x": x})[0])

    def space(axis: str, out: bool) -> Any:
        if not out:
            return b.SpaceInputAxis(id=b.AxisId(axis), size=size, unit=unit, scale=8)  # type: ignore[arg-type]
        same = b.SizeReference(tensor_id=b.TensorId("raw"), axis_id=b.AxisId(axis), offset=offset)
        kwargs: Any = {"id": b.AxisId(axis), "size": same, "unit": unit, "scale": 8 * zoom}
        return b.SpaceOutputAxisWithHalo(halo=halo, **kwargs) if halo else b.SpaceOutputAxis(**kwargs)

    def axes(channels: tuple[str, ...], out: bool) -> list[Any]:
        made = {"b": b.BatchAxis(), "c": b.ChannelAxis(channel_names=[*channels])}
        return [made[axis] if axis in made else space(axis, out) for axis in layout]

    (folder / "README.md").write_text("# Net\n\n## Validation\n\nNone.\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        described = b.ModelDescr(
            name="net of others",
            description="a net",
            authors=[b.Author(name="A. Nother")],
            cite=[b.CiteEntry(text="nobody", url="https://example.org")],
            license=b.LicenseId("MIT"),  # type: ignore[arg-type]
            documentation=b.FileDescr(source=folder / "README.md"),
            inputs=[
                b.InputTensorDescr(
                    id=b.TensorId("raw"),
                    axes=axes(("grey",), False),
                    preprocessing=before or [],
                    test_tensor=b.FileDescr(source=folder / "x.npy"),
                )
            ],
            outputs=[
                b.OutputTensorDescr(
                    id=b.TensorId("out"),
                    axes=axes(names, True),
                    postprocessing=after or [],
                    test_tensor=b.FileDescr(source=folder / "y.npy"),
                )
            ],
            weights=b.WeightsDescr(onnx=b.OnnxWeightsDescr(source=graph, opset_version=18)),
        )
        return Path(save_bioimageio_package(described, output_path=folder / "net.zip"))


def expected(path: Path, picture: np.ndarray) -> np.ndarray:
    """What the network of a package gives (c, y, x) for a prepared picture (y, x) or volume, as it comes out."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path.parent / "weights.onnx"))
    found: np.ndarray = session.run(None, {"x": picture[None, None].astype(np.float32)})[0][0]
    return found
