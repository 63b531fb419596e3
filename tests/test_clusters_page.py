"""The configurations on docs/clusters.md are read by the libraries that they are for."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import voxloop as vl

PAGE = (Path(__file__).parents[1] / "docs" / "clusters.md").read_text()
CONFIGS = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]


def config_of(name):
    """A configuration on the page, over what the library brings itself, as dask reads files."""
    import dask

    given = next(config for config in CONFIGS if name in config)
    return {name: dask.config.merge(dask.config.config, given)[name]}


def test_slurm_jobs_ask_for_a_gpu_and_say_so_to_dask():
    jobqueue = pytest.importorskip("dask_jobqueue")
    import dask

    with (
        dask.config.set(config_of("jobqueue")),
        jobqueue.SLURMCluster(scheduler_options={"dashboard_address": None, "port": 0, "host": "127.0.0.1"}) as cluster,
    ):
        script = cluster.job_script()
    assert "#SBATCH --gres=gpu:1" in script
    assert "#SBATCH -p gpu" in script
    assert "#SBATCH --cpus-per-task=8" in script
    assert "#SBATCH -t 04:00:00" in script
    assert "--resources GPU=1" in script
    assert "--memory-limit 59.60GiB" in script or "--memory-limit 64" in script


def test_a_gateway_is_found_where_the_configuration_says():
    gateways = pytest.importorskip("dask_gateway")
    import dask

    wanted = config_of("gateway")
    wanted["gateway"]["cluster"]["options"] = {}  # what the hub's environment fills in
    with dask.config.set(wanted), gateways.Gateway(auth="basic") as found:
        assert found.address == "http://traefik-dask-gateway/services/dask-gateway"
        assert found.proxy_address.startswith("gateway://traefik-dask-gateway")


def test_commands_of_a_node_are_commands_of_dask():
    from distributed.cli.dask_scheduler import main as scheduler
    from distributed.cli.dask_worker import main as worker

    known = {option for command in (scheduler, worker) for param in command.params for option in param.opts}
    block = re.search(r"```bash\n(dask scheduler.*?)```", PAGE, re.DOTALL)[1]
    used = set(re.findall(r"(?<= )--[a-z-]+", block))
    assert used <= known | {"--nthreads"}
    assert {"--port", "--resources", "--memory-limit"} <= used


def test_the_script_of_a_job_goes_on_after_its_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script on the page in a shell, SLURM's signal, and the same script again."""
    monkeypatch.setenv("VOXLOOP_QUEUE", str(tmp_path / "queue"))
    rows, columns = np.ogrid[:96, :96]
    stack = np.stack([np.where((rows % 16 < 8) ^ (columns % 16 < 8), 200, 40)] * 2).astype(np.uint8)
    with vl.Workspace.create(tmp_path / "my-project", image=stack, classes=["a", "b"]) as ws:
        for at in (4, 20, 36, 52, 84):
            ws.labels().paint(index=0, points=[(at, 4), (at, 5)], radius=2, value=1)
            ws.labels().paint(index=0, points=[(at, 12), (at, 13)], radius=2, value=2)
        network = {"encoder": "tu-test_efficientnet", "teacher": "none", "compare_with": "none", "device": "cpu"}
        config = vl.DeepConfig(window=(1, 64, 64), epochs=500, patience=0, **network)
        run = ws.train(config, name="deep-1", start=False)
    assert run.state == "created"

    script = next(text for text in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) if "scontrol" in text)
    (tmp_path / "train.sh").write_text(script)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/requeued"\n')
    (tmp_path / "bin" / "scontrol").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    job = {**os.environ, "PATH": path, "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}

    def until(condition: Callable[[], bool], work: subprocess.Popen) -> None:
        while not condition():
            assert work.poll() is None, run.log_tail()
            time.sleep(0.05)

    first = subprocess.Popen(["bash", "train.sh"], cwd=tmp_path, env=job)
    until(lambda: bool(run.history.epochs), first)
    first.send_signal(signal.SIGUSR1)
    first.wait(60)
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    assert run.state == "paused"
    reached = run.history.iteration

    second = subprocess.Popen(["bash", "train.sh"], cwd=tmp_path, env=job)
    until(lambda: run.state == "running" and run.history.iteration > reached, second)
    run.stop()
    assert second.wait(60) == 0
    assert run.state == "stopped"
    assert next(event["step"] for event in run.events() if event["kind"] == "resumed") == reached
    assert run.result.spec.classes[0].name == "a"
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
