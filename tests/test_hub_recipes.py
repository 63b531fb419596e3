"""deploy/hub as it stands: values for Kubernetes that agree with themselves, and variables that README names."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

HUB = Path(__file__).parents[1] / "deploy" / "hub"
VALUES = yaml.safe_load((HUB / "kubernetes.yaml").read_text())

#: the keys of Zero to JupyterHub 4 that the values use, as its reference has them
KNOWN = {
    "hub": {"baseUrl", "config", "concurrentSpawnLimit"},
    "singleuser": {
        "image", "defaultUrl", "startTimeout", "memory", "cpu", "storage", "initContainers", "extraEnv", "profileList",
    },
    "cull": {"enabled", "timeout", "every"},
    "prePuller": {"continuous"},
}  # fmt: skip


def in_bytes(text: str) -> float:
    return float(text[:-1]) * {"M": 1e6, "G": 1e9}[text[-1]]


def test_values_are_those_of_the_chart_and_agree() -> None:
    assert {name: set(part) for name, part in VALUES.items()} == KNOWN
    user = VALUES["singleuser"]
    volumes = {one["name"]: one for one in user["storage"]["extraVolumes"]}
    mounts = {one["name"]: one for one in user["storage"]["extraVolumeMounts"]}
    assert volumes.keys() == mounts.keys()
    assert mounts["data"]["readOnly"]
    assert volumes["data"]["persistentVolumeClaim"]["readOnly"]
    assert user["extraEnv"] == {
        "VOXLOOP_QUEUE": mounts["queue"]["mountPath"],
        "VOXLOOP_DATA": mounts["data"]["mountPath"],
    }
    assert "hostPath" in volumes["queue"], "the line is of a node, as its devices are"
    opened = user["initContainers"][0]
    assert opened["command"] == ["chmod", "1777", mounts["queue"]["mountPath"]]
    assert opened["volumeMounts"][0]["name"] == "queue"
    assert in_bytes(user["memory"]["guarantee"]) <= in_bytes(user["memory"]["limit"])
    assert sum(one.get("default", False) for one in user["profileList"]) == 1
    assert VALUES["hub"]["baseUrl"].startswith("/")
    assert VALUES["hub"]["baseUrl"].endswith("/")


def test_every_variable_of_the_configuration_is_explained() -> None:
    read = set(re.findall(r"VOXLOOP_HUB_[A-Z_]+", (HUB / "jupyterhub_config.py").read_text()))
    assert read == set(re.findall(r"VOXLOOP_HUB_[A-Z_]+", (HUB / "README.md").read_text()))
