from __future__ import annotations

import json

import pytest

from voxloop.errors import ModelError
from voxloop.model import ClassInfo, ModelSpec, Output, load_model

SPEC = ModelSpec(
    learner="shallow",
    channels=2,
    classes=(ClassInfo(value=1, name="background", background=True), ClassInfo(value=2, name="nucleus")),
    outputs=(Output(name="classes", kind="semantic", channels=2),),
    spacing_um=(0.04, 0.005, 0.005),
    stride=(1, 32, 32),
    halo=None,
    window=(1, 128, 128),
    normalisation={"kind": "mean_std", "mean": [1.0, 2.0], "std": [3.0, 4.0]},
    hash="abc",
)


def test_spec_survives_json():
    assert ModelSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC
    assert SPEC.out_channels == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no spec.json"),
        ("{", "damaged"),
        ('{"v": 99}', "of version 99; this voxloop reads 1"),
        ("{}", "says no version; this voxloop reads version 1"),
        ('{"v": 1, "learner": "shallow"}', "not complete"),
        (json.dumps({**SPEC.to_json(), "learner": "shalow"}), "did you mean 'shallow'"),
    ],
)
def test_folders_that_are_no_model_say_why(tmp_path, text, message):
    if text is not None:
        (tmp_path / "spec.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path)


def test_packages_are_sent_to_where_they_are_opened(tmp_path):
    (tmp_path / "net.zip").write_bytes(b"PK")
    with pytest.raises(ModelError, match=r"vl\.bioimageio\.import_package\('.*net\.zip', '.*net-model'\)"):
        load_model(tmp_path / "net.zip")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "rdf.yaml").write_text("type: model")
    with pytest.raises(ModelError, match=r"vl\.bioimageio\.import_package\('.*net', "):
        load_model(tmp_path / "net")
    with pytest.raises(ModelError, match="there is nothing"):
        load_model(tmp_path / "nowhere")
