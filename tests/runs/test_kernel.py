"""A real kernel: interrupting and restarting it ends no run, and another kernel sees every event."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator

import pytest

jupyter_client = pytest.importorskip("jupyter_client")


class Kernel:
    """A real ipykernel, asked for the value of expressions."""

    def __init__(self) -> None:
        self.manager = jupyter_client.KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=dict(os.environ))
        self.client = self._connect()

    def _connect(self):
        client = self.manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        return client

    def run(self, code: str, value: str = "None"):
        """Run code, then give the value of an expression."""
        reply = self.client.execute(code, user_expressions={"value": f"repr({value})"}, reply=True, timeout=60)
        content = reply["content"]
        assert content["status"] == "ok", content
        answer = content["user_expressions"]["value"]
        assert answer["status"] == "ok", answer
        return ast.literal_eval(ast.literal_eval(answer["data"]["text/plain"]))

    def start(self, code: str) -> str:
        """Begin a cell that takes long."""
        return self.client.execute(code)

    def printed(self, text: str) -> str:
        """What a cell prints next that holds ``text``."""
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "stream" and text in message["content"]["text"]:
                return str(message["content"]["text"])

    def restart(self) -> None:
        self.client.stop_channels()
        self.manager.restart_kernel(now=True)
        self.client = self._connect()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(own_world) -> Iterator[Kernel]:
    found = Kernel()
    yield found
    found.close()


def test_a_run_survives_interrupt_and_restart_of_its_kernel(kernel, runs, until):
    launch = f"""
from voxloop.runs import Runs
runs, settings = Runs({str(runs.folder)!r}), dict(steps=100_000, pause=0.005)
run = runs.create("r", "fake_tasks:train", settings, result="fake_tasks:result")
run.launch()
"""
    kernel.run(launch)
    run = runs["r"]
    until(lambda: len(run.history.steps) > 10)
    pid = run.holder.pid

    cell = kernel.start("run.result")
    assert "r " in kernel.printed("%")  # the bar
    kernel.manager.interrupt_kernel()
    reply = kernel.client.get_shell_msg(timeout=30)
    while reply["parent_header"].get("msg_id") != cell:
        reply = kernel.client.get_shell_msg(timeout=30)
    assert reply["content"]["ename"] == "WaitingInterrupted"
    (line,) = reply["content"]["traceback"]
    assert "run 'r' goes on" in line
    assert run.state == "running"

    kernel.restart()
    reached = run.history.iteration
    until(lambda: run.history.iteration > reached + 20)
    assert run.holder.pid == pid

    reattach = f'from voxloop.runs import Runs\nrun = Runs({str(runs.folder)!r})["r"]'
    assert kernel.run(reattach, "run.state") == "running"
    assert kernel.run("run.stop(); run.wait(30)", "run.state") == "stopped"
    seen, last = kernel.run("h = run.history", "(h.steps.iteration.tolist(), h.iteration)")
    assert seen == list(range(1, last + 1))  # every event, from before the interrupt to after the restart
    assert kernel.run("", "run.result") == str(last)
    assert run.history.steps.iteration.tolist() == seen
