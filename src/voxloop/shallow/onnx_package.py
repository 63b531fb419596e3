"""A pixel classifier for other programs: its classifier as ONNX, its features as a recipe, and the model itself.

The filters stay a recipe, and are no part of the graph: they mirror at the faces of a volume, work at several
resolutions and are cut into tiles, which is code in any program, and none of it is learnt. What was learnt is the
classifier.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxloop.errors import ModelError
from voxloop.extras import require
from voxloop.shallow.classifier import Classifier, Estimated, Projected
from voxloop.shallow.features import FeatureBank
from voxloop.shallow.perceptron import Perceptron

if TYPE_CHECKING:
    from voxloop.shallow.model import ShallowModel

GRAPH, RECIPE = "classifier.onnx", "recipe.json"
#: of the operations that are written: read by every onnxruntime of the last years
_OPSETS, _FORMAT = {"": 18, "ai.onnx.ml": 3}, 9
#: rows that both are tried with
_ROWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierPackage:
    """A pixel classifier that was written for other programs.

    ``difference``: largest difference in probability between the graph and the model, over the rows it was tried with;
    ``problems``: share of rows that get another class, where any does.
    """

    path: Path
    difference: dict[str, float]
    features: int
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = "; ".join(self.problems) or "valid"
        return (
            f"{self.path}: {words}; onnx differs by {self.difference['onnx']:.1e}; takes the {self.features} features "
            f"of {RECIPE}, which are computed outside of it"
        )


def export_classifier(
    model: ShallowModel, path: Path, *, sample: np.ndarray | None = None, name: str = "", overwrite: bool = False
) -> ClassifierPackage:
    """Write a ``.zip`` with the classifier as ONNX, the recipe of its features, and the model folder itself.

    ``sample``: raw intensities (c, z, y, x) of which the rows are made that both are tried with; noise where not given.

    Raises
    ------
    ModelError
        The path exists, is no ``.zip``, or the classifier cannot be written as ONNX.
    """
    if path.suffix != ".zip":
        raise ModelError(f"a package is a .zip file, not {path.name!r}")
    if path.exists() and not overwrite:
        raise ModelError(f"{path} exists already; overwrite=True replaces it")
    require("packages of pixel classifiers need", "onnx", "skl2onnx", "onnxruntime")
    with tempfile.TemporaryDirectory() as temporary:
        folder = model.save(Path(temporary) / "model")
        graph = _graph(model.classifier, model.inputs)
        (folder / GRAPH).write_bytes(graph.SerializeToString())
        (folder / RECIPE).write_text(json.dumps(recipe(model, name), indent=1), encoding="utf-8")
        (folder / "README.md").write_bytes(_readme(model, name).encode(errors="backslashreplace"))
        difference, others = _compared(folder / GRAPH, model, _rows(model, sample))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.new")
        try:
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                for one in sorted(folder.iterdir()):
                    archive.write(one, one.name)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    problems = (f"{others:.2%} of rows get another class",) if others else ()
    return ClassifierPackage(path=path, difference={"onnx": difference}, features=model.inputs, problems=problems)


def recipe(model: ShallowModel, name: str = "") -> dict[str, Any]:
    """What happens to intensities before the classifier, and to probabilities after it, in words and numbers."""
    spec, bank = model.spec, model.bank
    scales = [
        {
            "sigma_um": one.sigma_um,
            "reduced_by": list(one.factors),
            "sigma_voxels_there": list(one.sigma),
            "derivatives_along": ["zyx"[axis] for axis in one.derive],
        }
        for one in bank.scales
    ]
    return {
        "what": "recipe of a pixel classifier of voxloop",
        "version": 1,
        "name": name,
        "classes": [{"value": one.value, "name": one.name, "color": one.color} for one in spec.classes],
        "input": {"axes": "czyx", "channels": spec.channels, "spacing_um": list(bank.spacing_um)},
        "normalise": {"each_channel": "(intensity - offset) / scale", **spec.normalisation},
        "unit": "supervoxels" if model.supervoxels else "voxels",
        "filters": {
            "dimensions": bank.dimensions,
            "planes_smoothed_over": bank.context,
            "faces": "mirrored, the last voxel twice",
            "kinds": {kind: _MEANT[kind] for kind in bank.kinds if kind in _MEANT},
            "scales": scales,
        },
        "features": list(bank.names),
        "classifier": {
            "file": GRAPH,
            "takes": f"features, float32 (n, {model.inputs}), in this order",
            "gives": f"probabilities, float32 (n, {len(spec.classes)}), classes in this order",
        },
        "after": {
            "smoothed_with_sigma_voxels": list(spec.extra.get("smoothing_sigma", (0, 0, 0))),
            "temperature": model.temperature,
            "neighbours_agree": spec.extra.get("refine"),
        },
    }


_MEANT = {
    "gaussian": "the image smoothed",
    "log": "sum of second derivatives",
    "gradient": "length of the gradient",
    "dog": "smoothed less smoothed at 1.6 times the sigma",
    "hessian": "eigenvalues of the second derivatives, the largest first",
    "structure": "roots of the eigenvalues of the products of first derivatives, smoothed again",
    "deviation": "standard deviation under the bell",
    "determinant": "product of the eigenvalues of the second derivatives",
    "vesselness": "how much like a tube the second derivatives are",
}


def _graph(classifier: Classifier, inputs: int) -> Any:
    """The classifier as an ONNX model: ``features`` in, ``probabilities`` out. Raises ModelError."""
    import onnx

    try:
        graph = _nodes(classifier, inputs)
        onnx.checker.check_model(graph)
    except Exception as error:  # each library has its own
        words = " ".join(str(error).split())[:200]
        raise ModelError(f"this classifier cannot be written as ONNX: {words}") from error
    return graph


def _nodes(classifier: Classifier, inputs: int) -> Any:
    if isinstance(classifier, Perceptron):
        steps: list[Any] = []
        weights: dict[str, np.ndarray] = {}
        for n, (matrix, bias) in enumerate(zip(classifier.weights, classifier.biases, strict=True)):
            weights |= {f"w{n}": matrix, f"b{n}": bias}
            last = n == len(classifier.weights) - 1
            steps += [
                ("Gemm", [f"h{n}", f"w{n}", f"b{n}"], f"s{n}"),
                ("Softmax" if last else "Relu", [f"s{n}"], f"h{n + 1}"),
            ]
        return _model(steps, weights, "h0", f"h{len(classifier.weights)}", inputs, classifier.classes)
    if isinstance(classifier, Projected):
        from onnx.compose import merge_models

        own = classifier.projection
        steps = [("Sub", ["x", "offset"], "d"), ("Mul", ["d", "scale"], "m")]
        weights = {"offset": own.offset, "scale": own.scale}
        if own.axes is not None:
            steps.append(("MatMul", ["m", "axes"], "p"))
            weights["axes"] = own.axes
        before = _model(steps, weights, "x", "m" if own.axes is None else "p", inputs, own.components)
        within = _nodes(classifier.within, own.components)
        ends = [(before.graph.output[0].name, within.graph.input[0].name)]
        return _named(
            merge_models(_same_format(before), _same_format(within), ends, prefix1="before_", prefix2="within_")
        )
    assert isinstance(classifier, Estimated)
    from skl2onnx import to_onnx

    estimator = classifier.estimator
    made = to_onnx(
        estimator,
        np.zeros((1, inputs), np.float32),
        options={id(estimator): {"zipmap": False}},
        target_opset=_OPSETS,
    )
    del made.graph.output[:-1]  # the class itself, which probabilities say
    return _named(made)


def _model(
    steps: list[tuple[str, list[str], str]],
    weights: dict[str, np.ndarray],
    first: str,
    last: str,
    inputs: int,
    outputs: int,
) -> Any:
    """An ONNX model of a chain of operations."""
    from onnx import TensorProto, helper, numpy_helper

    named = {first: "features", last: "probabilities"}
    nodes = [
        helper.make_node(kind, [named.get(one, one) for one in given], [named.get(put, put)])
        for kind, given, put in steps
    ]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, inputs])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(np.asarray(array, np.float32), name) for name, array in weights.items()],
    )
    return _same_format(helper.make_model(graph))


def _same_format(model: Any) -> Any:
    """With the operations and the format that all parts have, so that they can be put together."""
    from onnx import helper

    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in _OPSETS.items())
    model.ir_version = _FORMAT
    return model


def _named(model: Any) -> Any:
    """With ``features`` going in and ``probabilities`` coming out, whatever the converter called them."""
    from onnx import helper

    inner = model.graph.input[0].name
    put = model.graph.output[0].name
    if inner != "features":
        model.graph.node.insert(0, helper.make_node("Identity", ["features"], [inner]))
        model.graph.input[0].name = "features"
    if put != "probabilities":
        model.graph.node.append(helper.make_node("Identity", [put], ["probabilities"]))
        model.graph.output[0].name = "probabilities"
    return _same_format(model)


def _rows(model: ShallowModel, sample: np.ndarray | None) -> np.ndarray:
    """Features that both are tried with: those of a piece of an image, or noise."""
    rng = np.random.default_rng(0)
    if sample is None or model.supervoxels:
        return rng.normal(size=(_ROWS // 10, model.inputs)).astype(np.float32)
    bank: FeatureBank = model.bank
    features = bank.full(model.normalisation(sample))
    rows = np.ascontiguousarray(features.reshape(len(features), -1).T)
    return rows[rng.permutation(len(rows))[:_ROWS]]


def _compared(path: Path, model: ShallowModel, rows: np.ndarray) -> tuple[float, float]:
    """Largest difference of probabilities, and share of rows of another class."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    theirs = session.run(["probabilities"], {"features": rows})[0]
    ours = model.classifier.rows(rows)
    return float(np.abs(theirs - ours).max()), float((theirs.argmax(1) != ours.argmax(1)).mean())


def _readme(model: ShallowModel, name: str) -> str:
    classes = ", ".join(one.name for one in model.spec.classes)
    return f"""# {name or "Pixel classifier"}

Tells apart {classes}. Made with voxloop.

- `{GRAPH}`: the classifier. Takes `features`, (n, {model.inputs}) float32; gives `probabilities`, (n, classes).
- `{RECIPE}`: how the features are made of intensities, in their order, and what happens to probabilities afterwards.
- the other files: the model itself. `vl.pull("{name or "this"}.zip").model()` opens it, features included;
  in napari the plugin of voxloop (`pip install voxloop`) shows predictions of it.

```python
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("{GRAPH}")
probabilities = session.run(["probabilities"], {{"features": rows}})[0]   # rows: (n, {model.inputs}) float32

# with voxloop, rows of an array (c, z, y, x) of raw intensities:
import voxloop as vl
model = vl.load_model(".")
features = model.bank.full(model.normalisation(intensities))
rows = np.ascontiguousarray(features.reshape(len(features), -1).T)
```
"""
