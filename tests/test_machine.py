"""Memory and cores as the process's own cgroups, a hub and SLURM allow them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import psutil
import pytest

machine = import_module("voxloop.machine")  # ``voxloop.machine`` itself is the function
GIB = 1 << 30


def system(tmp_path: Path, kind: str, options: str, groups: str, root: str = "/") -> tuple[Path, Path]:
    """Where ``/proc/self`` and the cgroup file system would lie."""
    proc, mount = tmp_path / "proc", tmp_path / "cgroup"
    proc.mkdir()
    mount.mkdir()
    (proc / "cgroup").write_text(groups)
    (proc / "mountinfo").write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
        f"35 31 0:32 {root} {mount} rw,relatime shared:9 - {kind} {kind} {options}\n"
    )
    return proc, mount


def put(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("__", ".")).write_text(f"{value}\n")


def test_a_nested_group_of_version_two_is_bound_by_all_around_it(tmp_path: Path) -> None:
    proc, mount = system(tmp_path, "cgroup2", "rw", "0::/user.slice/job.scope\n")
    put(mount / "user.slice", memory__max=4 * GIB, memory__current=3 * GIB, memory__stat=f"inactive_file {GIB // 2}")
    put(mount / "user.slice" / "job.scope", memory__max="max", memory__high=2 * GIB, memory__current=GIB)
    limits = machine.memory_limits(proc, {})
    assert [(limit.total, limit.left) for limit in limits[1:]] == [(2 * GIB, GIB), (4 * GIB, 3 * GIB // 2)]


def test_a_nested_group_of_version_one_is_found_in_its_own_hierarchy(tmp_path: Path) -> None:
    proc, mount = system(tmp_path, "cgroup", "rw,memory", "4:memory:/slurm/job_7\n3:cpuset:/\n0::/\n")
    put(mount, memory__limit_in_bytes=(1 << 63) - 4096)
    put(mount / "slurm" / "job_7", memory__limit_in_bytes=2 * GIB, memory__usage_in_bytes=GIB)
    put(mount / "slurm" / "job_7", memory__stat=f"inactive_file 5\ntotal_inactive_file {GIB // 4}")
    limit = machine.memory_limits(proc, {})[1]
    assert (limit.total, limit.left) == (2 * GIB, 5 * GIB // 4)


def test_a_container_sees_its_group_at_the_root_of_what_is_mounted(tmp_path: Path) -> None:
    proc, mount = system(tmp_path, "cgroup2", "rw", "0::/docker/abc\n", root="/docker/abc")
    put(mount, memory__max=GIB, memory__current=0)
    assert machine.memory_limits(proc, {})[1] == machine.Limit(GIB, 0)


@pytest.mark.parametrize(
    ("environ", "total"),
    [
        ({"MEM_LIMIT": str(64 * GIB)}, 64 * GIB),
        ({"MEM_LIMIT": "2147483648.0"}, 2 * GIB),
        ({"MEM_LIMIT": "2G"}, None),
        ({"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "4096"}, 4 * GIB),
        ({"SLURM_JOB_ID": "7", "SLURM_MEM_PER_CPU": "2048", "SLURM_CPUS_ON_NODE": "3"}, 6 * GIB),
        ({"SLURM_JOB_ID": "7", "SLURM_MEM_PER_NODE": "0"}, None),
        ({"SLURM_MEM_PER_NODE": "4096"}, None),
    ],
)
def test_what_a_hub_and_slurm_allow(tmp_path: Path, environ: dict[str, str], total: int | None) -> None:
    limits = machine.memory_limits(tmp_path, environ)[1:]
    if total is None:
        assert not limits
        return
    (limit,) = limits
    assert limit.total == total
    assert 0 < limit.used < psutil.virtual_memory().total


def test_the_two_that_are_asked_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "memory_limits", lambda: [machine.Limit(9 * GIB, GIB), machine.Limit(2 * GIB, GIB)])
    machine.machine.cache_clear()
    assert machine.machine().memory_gb == 2 * GIB / 1e9
    assert machine.machine().small
    assert machine.available_memory() == GIB
    monkeypatch.undo()
    machine.machine.cache_clear()
    assert machine.available_memory() < machine.machine().memory_gb * 1e9


def test_cores_are_those_of_the_group_and_of_the_job(tmp_path: Path) -> None:
    proc, mount = system(tmp_path, "cgroup2", "rw", "0::/a\n")
    put(mount / "a", cpu__max="100000 100000")
    assert machine._cores(proc, {}) == 1
    assert machine._cores(tmp_path, {"SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "1"}) == 1


def test_gigabytes_and_bytes_are_the_same_memory() -> None:
    assert machine.Machine(memory_gb=16.5, cores=1).memory_bytes == 16_500_000_000
    smallest = min(limit.total for limit in machine.memory_limits())
    machine.machine.cache_clear()
    assert abs(machine.machine().memory_bytes - smallest) < 1000


def test_processes_ended_for_lack_of_memory_are_counted_in_the_own_group_or_else_on_the_machine(tmp_path: Path) -> None:
    proc, mount = system(tmp_path, "cgroup2", "rw", "0::/job\n")
    assert machine.memory_kills(proc) is None
    (tmp_path / "vmstat").write_text("oom_killer 9\noom_kill 7\n")
    assert machine.memory_kills(proc) == 7
    put(mount, memory__events="oom 5\noom_kill 5")
    put(mount / "job", memory__events="low 0\noom 3\noom_kill 2\noom_group_kill 0")
    assert machine.memory_kills(proc) == 2


def test_a_group_of_version_one_counts_as_well(tmp_path: Path) -> None:
    proc, mount = system(tmp_path, "cgroup", "rw,memory", "4:memory:/job\n")
    put(mount / "job", memory__oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 1")
    assert machine.memory_kills(proc) == 1
