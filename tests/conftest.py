"""What all tests share: the real data, small workspaces, minutes per group, and no silent skips in CI."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import hypothesis
import pytest

# how fast the machine is decides nothing
hypothesis.settings.register_profile("voxloop", deadline=None)
hypothesis.settings.load_profile("voxloop")

#: minutes each group may take on two cores; printed beside what it took, never asserted
BUDGET = {"units": 5, "learners": 6, "runs": 3, "notebooks": 5, "browser": 5}
#: files that take longest, dearest first: begun last, one of them would leave the other core idle at the end
DEAR = (
    "deep/test_learner.py",
    "deep/training/test_resume.py",
    "workspace/test_behaviours.py",
    "workspace/test_kills.py",
    "deep/training/test_volumetric.py",
    "deep/test_gpu.py",
    "workspace/test_predict.py",
    "workspace/test_workspace.py",
    "deep/exchange/test_exchange.py",
    "deep/training/test_instance_training.py",
    "deep/training/test_team.py",
    "store/test_crash.py",
    "cli/test_commands.py",
    "review/test_rounds.py",
    "test_architecture.py",
)
_GROUP = {"shallow": "learners", "deep": "learners", "runs": "runs", "notebooks": "notebooks", "browser": "browser"}

_seconds: dict[str, float] = defaultdict(float)
_skipped: list[str] = []


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data sets; skips where VOXLOOP_DATA does not name one."""
    folder = os.environ.get("VOXLOOP_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("VOXLOOP_DATA does not name the folder of real data sets")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What tests open is not listed among what their user opened lately."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session", autouse=True)
def own_queue(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs of one test session wait for each other, not for other runs on this machine."""
    os.environ["VOXLOOP_QUEUE"] = str(tmp_path_factory.mktemp("queue"))


def group_of(nodeid: str) -> str:
    parts = Path(nodeid.split("::")[0]).parts
    return _GROUP.get(parts[1], "units") if len(parts) > 2 else "units"


def rank_of(nodeid: str) -> tuple[int, int]:
    """Where a test stands in the order: notebooks, what is dear, the rest by group, the browser."""
    group, file = group_of(nodeid), nodeid.split("::")[0].removeprefix("tests/")
    order = ["notebooks", "dear", "learners", "runs", "units", "browser"]
    return (order.index("dear"), DEAR.index(file)) if file in DEAR else (order.index(group), 0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that none is left for one worker at the end; the browser last, because Playwright leaves
    an event loop running in this thread.
    """
    items.sort(key=lambda item: rank_of(item.nodeid))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[group_of(report.nodeid)] += report.duration
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        _skipped.append(f"{report.nodeid}: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.section("minutes by group")
    for name, minutes in BUDGET.items():
        if _seconds[name]:
            terminalreporter.write_line(f"{name:10s} {_seconds[name] / 60:5.1f} of {minutes}")
    if _skipped and os.environ.get("CI"):
        terminalreporter.section("skipped, which fails in CI")
        for line in _skipped:
            terminalreporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _skipped and os.environ.get("CI") and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
