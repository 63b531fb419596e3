"""The configurations on docs/clusters.md are read by the libraries that they are for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

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
