"""A real JupyterLab in Chromium for tests: a server, a page, cells, Python values. Knows nothing of voxloop."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Locator, Page

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}}
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
]
#: what JupyterLab itself writes to the console on a healthy day
NOISE = ("favicon", "/api/workspaces/", "Failed to load resource", "ResizeObserver loop", "WebSocket")


def chromium() -> str | None:
    """The browser to drive: the one named, one on the machine, or Playwright's own (None where there is none)."""
    named = os.environ.get("VOXLOOP_CHROMIUM")
    if named:
        return named
    for name in ("/usr/bin/chromium", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    return None


class LabServer:
    """JupyterLab on a free loopback port, with settings, workspaces and notebooks of its own.

    A kernel waits for the next notebook, and has imported what ``imports`` names: it starts while another is used.
    ``extensions`` is a folder of further extensions of the page.
    """

    def __init__(self, home: Path, imports: Sequence[str] = (), extensions: Path | None = None) -> None:
        self.root = home / "root"
        self.root.mkdir(parents=True)
        startup = home / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        (startup / "imports.py").write_text("".join(f"__import__({name!r})\n" for name in imports))
        self._waiting = ""
        self._log = (home / "lab.log").open("wb")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        silence = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        silence.parent.mkdir(parents=True)
        silence.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        env = {**os.environ, **{key: str(home / name) for key, name in folders.items()}}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--expose-app-in-browser",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--ServerApp.root_dir={self.root}",
                "--IdentityProvider.token=",
                "--ServerApp.disable_check_xsrf=True",
                "--LabApp.news_url=",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
                "--LabApp.extension_manager=readonly",
                *([f"--LabApp.extra_labextensions_path={extensions}"] if extensions else []),
            ],
            env=env,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=self.root,
        )
        self._wait()

    def _wait(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"JupyterLab ended at once; see {self._log.name}")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/api/status", timeout=2):
                return
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not answer within {seconds:.0f} s; see {self._log.name}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def request(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            raw = answer.read()
        return json.loads(raw) if raw else None

    def attach(self, name: str) -> None:
        """Give a notebook the kernel that waits."""
        kernel = self._waiting or self._start()
        self._waiting = ""
        session = {"path": name, "name": name, "type": "notebook", "kernel": {"id": kernel}}
        self.request("POST", "/api/sessions", session)

    def have_one_waiting(self) -> None:
        """Start a kernel for the next notebook."""
        self._waiting = self._waiting or self._start()

    def _start(self) -> str:
        return str(self.request("POST", "/api/kernels", {"name": KERNEL["kernelspec"]["name"]})["id"])

    def pause(self) -> None:
        """Answer nothing until :meth:`go_on`."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        for session in self.request("GET", "/api/sessions"):
            self.request("DELETE", f"/api/sessions/{session['id']}")
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Lab:
    """One page with one notebook at a time. Cells are counted from 0."""

    def __init__(self, server: LabServer, browser: Browser, shots: Path, size: tuple[int, int] = (1400, 900)) -> None:
        self.server, self._shots = server, shots
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.reloaded = False
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        self.name = ""

    def _on_console(self, message: Any) -> None:
        if message.type == "error" and not any(word in message.text for word in NOISE):
            self.errors.append(message.text)

    # --------------------------------------------------------------------------------------------------- notebooks

    def notebook(self, *cells: str, name: str | None = None) -> None:
        """Write a notebook of code cells, open it, and wait until its kernel is idle."""
        book = nbformat.v4.new_notebook(metadata=KERNEL, cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        name = name or f"{uuid.uuid4().hex[:8]}.ipynb"
        nbformat.write(book, self.server.root / name)
        self.open(name)

    def open(self, name: str, *, alone: bool = True) -> None:
        """Open a notebook of the server's root; ``alone`` folds the file browser away.

        The first one loads the page, in a fresh workspace; later ones open in it.
        """
        self.leave()
        self.name = name
        self.server.attach(name)
        if self.page.url == "about:blank":
            self.page.goto(f"{self.server.url}/lab/workspaces/{uuid.uuid4().hex[:8]}/tree/{name}?reset")
        else:
            self.page.evaluate(
                "name => jupyterapp.commands.execute('docmanager:open', { path: name }).then(() => null)", name
            )
        self._ready()
        self.server.have_one_waiting()
        self.errors.clear()  # of the notebook before this one
        if alone:
            self.page.evaluate("() => { if (!jupyterapp.shell.leftCollapsed) jupyterapp.shell.collapseLeft(); }")

    def _ready(self) -> None:
        cells = len(nbformat.read(self.server.root / self.name, 4).cells)
        self.page.wait_for_function(
            """([path, cells]) => {
              const panel = window.jupyterapp?.shell?.currentWidget;
              const kernel = panel?.sessionContext?.session?.kernel;
              return panel?.context?.path === path && panel.context.isReady && panel.content.widgets.length === cells
                && kernel?.status === 'idle';
            }""",
            arg=[self.name, cells],
            timeout=60_000,
        )

    def run(self, *indices: int, wait: bool = True, timeout: float = 60) -> None:
        """Run these cells in order (all where none is named). Raises AssertionError where one ends in an error."""
        chosen = list(indices) or list(
            range(self.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length"))
        )
        for index in chosen:
            self.page.evaluate(
                """index => {
                  const notebook = jupyterapp.shell.currentWidget.content;
                  notebook.deselectAll();
                  notebook.activeCellIndex = index;
                  window.__voxloop_run = 'running';
                  jupyterapp.commands.execute('notebook:run-cell').then(() => { window.__voxloop_run = 'done'; });
                }""",
                index,
            )
            if wait:
                self.page.wait_for_function("window.__voxloop_run === 'done'", timeout=timeout * 1000)
                self._check(index)

    def wait_idle(self, timeout: float = 60) -> None:
        """Wait until the main shell is idle and the last started cell has ended."""
        self.page.wait_for_function("window.__voxloop_run === 'done'", timeout=timeout * 1000)

    def _check(self, index: int) -> None:
        errors = self.page.evaluate(
            """index => jupyterapp.shell.currentWidget.content.widgets[index].model.outputs?.toJSON()
                 .filter(o => o.output_type === 'error')
                 .map(o => o.ename + ': ' + o.evalue + '\\n' + o.traceback.join('\\n')) ?? []""",
            index,
        )
        assert not errors, f"cell {index} raised {errors[0]}"

    def cell(self, index: int) -> Locator:
        return self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{index}"]')

    def output(self, index: int) -> Locator:
        """What a cell shows."""
        return self.cell(index).locator(".jp-OutputArea").first

    def text(self, index: int) -> str:
        """Printed and plain-text output of a cell."""
        parts = self.page.evaluate(
            """index => jupyterapp.shell.currentWidget.content.widgets[index].model.outputs.toJSON()
                 .map(o => o.text ?? o.data?.['text/plain'] ?? '')""",
            index,
        )
        return "".join("".join(part) for part in parts)

    # ------------------------------------------------------------------------------------------------------ Python

    def python(self, expression: str) -> Any:
        """The value of a Python expression in the notebook's kernel, by way of JSON. Waits for a running cell."""
        answer = self.page.evaluate(
            """async code => {
              const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute(
                {code: '', silent: true, store_history: false, user_expressions: {value: code}});
              const reply = await future.done;
              return reply.content.user_expressions?.value ?? {ename: 'NoAnswer', evalue: reply.content.status};
            }""",
            f"__import__('json').dumps({expression})",
        )
        if "data" not in answer:
            raise AssertionError(f"{expression}: {answer.get('ename')}: {answer.get('evalue')}")
        return json.loads(ast.literal_eval(answer["data"]["text/plain"]))

    def until(self, expression: str, timeout: float = 20) -> Any:
        """Ask Python again and again until the expression is true; its value."""
        end = time.monotonic() + timeout
        while not (value := self.python(expression)):
            assert time.monotonic() < end, f"not within {timeout:.0f} s: {expression}"
            self.page.wait_for_timeout(50)
        return value

    def wait(self, condition: Callable[[], bool], what: str = "condition", timeout: float = 20) -> None:
        """Ask a condition about twenty times a second until it holds."""
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"not within {timeout:.0f} s: {what}"
            self.page.wait_for_timeout(50)

    # -------------------------------------------------------------------------------------------------------- page

    def theme(self, name: str) -> None:
        """``light`` or ``dark``."""
        dark = name == "dark"
        if self.page.evaluate("document.body.dataset.jpThemeLight") == ("false" if dark else "true"):
            return
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})",
            "JupyterLab Dark" if dark else "JupyterLab Light",
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light && !document.querySelector('.jp-mod-theme-loading')",
            arg="false" if dark else "true",
        )
        self.page.wait_for_timeout(300)  # JupyterLab takes its splash away 200 ms later, and twice if one is quicker

    def restart(self) -> None:
        """Restart the kernel and wait until it is idle."""
        self.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
        self._ready()

    def wait_restarted(self) -> None:
        """Wait until JupyterLab has another kernel for one that was killed. The page serves no further test."""
        self.reloaded = True
        self._ready()

    def save(self) -> None:
        self.page.evaluate("() => jupyterapp.shell.currentWidget.context.save()")

    def reload(self) -> None:
        """Save, reload the page, and wait for notebook and kernel. The page serves no further test."""
        self.reloaded = True
        self.save()
        self.page.reload()
        self._ready()

    def screenshot(self, name: str, of: Locator | None = None) -> Path:
        """A picture of the page, or of one element, in the folder of screenshots."""
        path = self._shots / f"{name}.png"
        (of or self.page).screenshot(path=str(path), animations="disabled")
        return path

    def both_themes(self, name: str, of: Locator | None = None) -> Sequence[Path]:
        """``name-light.png`` and ``name-dark.png``, of a page high enough to show the whole."""
        made = []
        size = self.page.viewport_size
        self.page.set_viewport_size({**size, "height": max(size["height"], 1150)})
        for theme in ("dark", "light"):
            self.theme(theme)
            made.append(self.screenshot(f"{name}-{theme}", of))
        self.page.set_viewport_size(size)
        return made

    def leave(self) -> None:
        """Close the notebook, unsaved, and shut its kernel down; the page stays for the next one."""
        if not self.name:
            return
        self.page.evaluate("() => { for (const one of [...jupyterapp.shell.widgets('main')]) one.dispose(); }")
        self._end_kernel()
        self.page.wait_for_timeout(300)  # what ends in the middle of something says so
        self.errors.clear()

    def close(self) -> None:
        """Close the page and shut its kernel down."""
        self.context.close()
        self._end_kernel()

    def _end_kernel(self) -> None:
        for session in self.server.request("GET", "/api/sessions"):
            if session["path"] == self.name:
                self.server.request("DELETE", f"/api/sessions/{session['id']}")
        self.name = ""
