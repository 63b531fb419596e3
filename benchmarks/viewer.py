"""How fast the viewer is, from the wheel to pixels, in a real JupyterLab with Chromium; and what the kernel weighs."""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]

OPEN = """
import voxloop as vl
from voxloop.panels.view.plane_view import PlaneView
view = PlaneView(vl.open_volume({path!r}, spacing=(0.03, 0.008, 0.008)), height=900)
view
"""
WORKSPACE = """
import voxloop as vl
from voxloop.panels.label.label_panel import LabelPanel
classes = ["mitochondria", "background"]
ws = vl.Workspace.create({folder!r}, image={path!r}, classes=classes, spacing=(0.03, 0.008, 0.008))
panel = LabelPanel(ws, height=900)
view = panel.view
panel
"""
MEMORY = "int(open('/proc/self/smaps_rollup').read().split('Pss:')[1].split()[0]) / 1024"

#: the next plane (or any other one, with the slider) each time the last one is on screen: milliseconds from the event
#: to the painted frame
STEPS = """async ([count, jump, pause]) => {
  const slider = document.querySelector(".vl-slider");
  const stage = document.querySelector(".vl-stage");
  const r = stage.getBoundingClientRect();
  const shown = () => new Promise((done) => {
    const before = stage.dataset.index;
    const look = () => (stage.dataset.index !== before ? requestAnimationFrame(() => done()) : setTimeout(look, 1));
    look();
  });
  const times = [];
  for (let i = 0; i < count; i++) {
    const waiting = shown(), start = performance.now();
    if (jump) {
      slider.value = (+stage.dataset.index + 20 + (jump * i) % 120) % (+slider.max + 1);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    } else {
      stage.dispatchEvent(new WheelEvent("wheel", { deltaY: 100, bubbles: true, cancelable: true,
        clientX: r.left + 300, clientY: r.top + 300 }));
    }
    await waiting;
    times.push(performance.now() - start);
    await new Promise((done) => setTimeout(done, pause ?? 60));
  }
  return times;
}"""

#: what leaves the page arrives so many milliseconds later, in order
DELAY = """ms => {
  const send = window.__send ??= WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), ms); };
}"""
DELAY_MS = 200

#: thirty wheel events in a second: milliseconds from the last one to the right plane on screen
RUSH = """async () => {
  const stage = document.querySelector(".vl-stage");
  const from = +stage.dataset.index;
  for (let i = 0; i < 30; i++) {
    stage.dispatchEvent(new WheelEvent("wheel", { deltaY: 100, bubbles: true, cancelable: true }));
    if (i < 29) await new Promise((done) => setTimeout(done, 1000 / 30));
  }
  const start = performance.now();
  while (+stage.dataset.index !== from + 30) {
    if (performance.now() - start > 5000) return -1;
    await new Promise((done) => setTimeout(done, 1));
  }
  return performance.now() - start;
}"""

#: from the pointer event to ink in the canvas, read back: milliseconds, and frames passed in between
STROKE = """async ([left, top]) => {
  const stage = document.querySelector(".vl-stage");
  const r = stage.getBoundingClientRect();
  const canvas = stage.querySelector('[data-layer=labels]');
  const count = () => {
    const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let n = 0;
    for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
    return n;
  };
  const fire = (type, x, y, buttons) => stage.dispatchEvent(new PointerEvent(type, { bubbles: true, cancelable: true,
    pointerId: 1, pointerType: "pen", isPrimary: true, button: 0, buttons, clientX: r.left + x, clientY: r.top + y }));
  const before = count(), start = performance.now();
  fire("pointerdown", left, top, 1);
  for (let i = 1; i <= 10; i++) fire("pointermove", left + 8 * i, top + 5 * i, 1);
  const done = performance.now() - start;
  await new Promise((go) => requestAnimationFrame(go));
  const drawn = count() - before;
  fire("pointerup", left + 80, top + 50, 0);
  return [done, drawn];
}"""


def lab_module() -> Any:
    """The driver that the browser tests use."""
    spec = importlib.util.spec_from_file_location("browser_lab", ROOT / "tests" / "browser" / "lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_volume(folder: Path, planes: int, size: int = 2048) -> Path:
    """A zarr of uint8 planes like EM, compressed, one chunk of 1024 pixels square a piece."""
    import zarr
    from scipy import ndimage

    path = folder / f"em-{planes}.zarr"
    if path.exists():
        return path
    rng = np.random.default_rng(0)
    base = ndimage.gaussian_filter(rng.normal(size=(size, size)).astype(np.float32), 2) * 400 + 128
    array = zarr.create_array(str(path), shape=(planes, size, size), chunks=(1, 1024, 1024), dtype="u1")
    for z in range(min(planes, 160)):
        noisy = np.roll(base, 9 * z, axis=1) + rng.normal(0, 9, (size, size)).astype(np.float32)
        array[z] = noisy.clip(0, 255).astype(np.uint8)
    return path


def percentile(times: list[float], share: float) -> float:
    return float(np.percentile(times, 100 * share))


def measure_frames(lab: Any, steps: int) -> list[tuple[str, str, str]]:
    """Plane changes, fitted and at 1:1, and the rush."""
    page = lab.page
    stage = page.locator(".vl-stage").first
    stage.wait_for()
    page.wait_for_selector(".vl-stage[data-index]")
    rows = []
    box = stage.bounding_box()
    for name, key in (("fitted", "f"), ("1:1", "*")):
        page.mouse.move(box["x"] + 200, box["y"] + 200)
        page.keyboard.press(key)
        lab.python("view.go_to_plane(0) or 0")
        page.wait_for_timeout(800)
        for what, jump in (("next plane", 0), ("any plane", 29)):
            times = page.evaluate(STEPS, [steps, jump])
            row = f"{statistics.median(times):.0f} / {percentile(times, 0.95):.0f} ms"
            rows.append((f"{what}, {name}: median / p95", row, "80 / 160 ms"))
        lab.python("view.go_to_plane(0) or 0")
        page.wait_for_timeout(800)
        late = page.evaluate(RUSH)
        rows.append((f"30 wheel steps in 1 s, {name}: last step to right plane", f"{late:.0f} ms", "200 ms"))
    page.keyboard.press("f")
    page.evaluate(DELAY, DELAY_MS)
    for what, pause in (("a plane each 60 ms", 60), ("a plane each 300 ms", 300)):
        lab.python("view.go_to_plane(0) or 0")
        page.wait_for_timeout(3000)
        times = page.evaluate(STEPS, [steps, 0, pause])
        row = f"{statistics.median(times):.0f} / {percentile(times, 0.95):.0f} ms"
        rows.append((f"next plane, kernel {DELAY_MS} ms away, {what}: median / p95", row, "60 ms"))
    page.evaluate(DELAY, 0)
    return rows


def measure_strokes(lab: Any, count: int) -> list[tuple[str, str, str]]:
    """Ink, and memory after planes and strokes."""
    page = lab.page
    page.wait_for_selector(".vl-stage[data-index]")
    page.wait_for_timeout(500)
    opened = lab.python(MEMORY)
    first = [page.evaluate(STROKE, [300 + 3 * n, 300 + 17 * n]) for n in range(10)]
    done, drawn = statistics.median(ms for ms, _ in first), min(pixels for _, pixels in first)
    page.evaluate(STEPS, [100, 0])
    for n in range(count):
        page.evaluate(STROKE, [200 + 37 * n % 400, 200 + 13 * n % 500])
    lab.until(f"panel.labels.sequence > {count // 2}", timeout=60)
    heavy = lab.python("[name for name in ('torch', 'sklearn') if name in __import__('sys').modules]")
    return [
        ("stroke: events to ink in the canvas", f"{done:.1f} ms, {drawn:.0f} pixels", "one frame (16 ms)"),
        ("kernel after opening (10 GB zarr)", f"{opened:.0f} MB", "300 MB"),
        (f"kernel after 100 planes, {count} strokes", f"{lab.python(MEMORY):.0f} MB", "350 MB"),
        ("heavy imports in the kernel", ", ".join(heavy) or "none", "none"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer planes and strokes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--volumes", type=Path, help="folder that keeps the made-up volumes for the next time")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    module = lab_module()
    home = Path(tempfile.mkdtemp(prefix="voxloop-viewer-"))
    rows: list[tuple[str, str, str]] = []
    try:
        kept = options.volumes or home
        kept.mkdir(exist_ok=True)
        small, large = make_volume(kept, 160), make_volume(kept, 2560)
        server = module.LabServer(home / "lab")
        try:
            with sync_playwright() as playwright:
                args = [
                    *module.CHROMIUM_ARGS,
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--no-first-run",
                    "--disable-quic",
                ]
                browser = playwright.chromium.launch(executable_path=module.chromium(), args=args)
                lab = module.Lab(server, browser, home, (1100, 1250))
                lab.notebook(OPEN.format(path=str(small)))
                lab.run(0)
                rows += measure_frames(lab, 20 if options.quick else 60)
                print(*rows, sep="\n", file=sys.stderr)
                lab.close()
                lab = module.Lab(server, browser, home, (1500, 1250))
                lab.notebook(WORKSPACE.format(folder=str(home / "ws"), path=str(large)))
                lab.run(0)
                rows += measure_strokes(lab, 40 if options.quick else 200)
                lab.close()
                browser.close()
        finally:
            server.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if options.json:
        print(json.dumps([dict(zip(("what", "measured", "target"), row, strict=True)) for row in rows], indent=1))
        return
    width = max(len(row[0]) for row in rows)
    for what, measured, target in [("", "measured", "target"), *rows]:
        print(f"{what:<{width}}  {measured:>22}  {target:>18}")


if __name__ == "__main__":
    main()
