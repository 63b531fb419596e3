"""Take the pictures of panels that the site shows: a real JupyterLab, one workspace once round the loop.

``python tools/pictures.py docs/img`` writes one WebP of each step, 1280 pixels wide, below 150 kB each; with names
behind it (``Label People``) only those.
"""

from __future__ import annotations

import importlib.util
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
SIZE = (1280, 720)
LIMIT = 150_000
SETUP = """
import voxloop as vl
vl.author("Bob")
sample = vl.samples.load("em")
part = dict(z=slice(0, 16))
ws = vl.Workspace.create({folder!r}, image=sample.volume.isel(part), classes=sample.classes)
vl.simulate(ws, sample.truth.isel(part), strokes=36, seed=1)
ws.channels.add("smooth", "gaussian", sigma_um=0.016)
ws.levels.add("spots", kind="points", classes=["vesicle"])
for number, place in enumerate([(60, 70), (90, 140), (150, 60), (170, 190)]):
    ws.points("spots").add(None, {{"point": (8, *place)}})
ws.tiles.add("tiles", size=64)
tiles = ws.catalogue("tiles")
tiles.set(tiles.names[:9], status="done", assignee="Ann")
tiles.set(tiles.names[9:14], status="in progress", assignee="Bob")
tiles.set(tiles.names[2:4], quality="bad", note="torn")
vl.author("Ann")
ws.labels().paint(index=8, points=[(40, 40), (60, 70)], radius=3, value="background")
vl.author("Bob")
bench = vl.Workbench(ws)
bench
"""
WORK = """
run = ws.train(vl.ShallowConfig())
run.result
ws.predict(run).result
ws.objects("predict-1", of="mitochondria", min_size=0.0005).result.count
"""
VIEW3D = """
view = vl.View3D(ws, layers=["objects-1"], height=560)
view
"""
STEPS = ("Label", "Train", "Predict", "Review", "Objects", "Channels", "Points", "Pictures", "Volume")


def helper() -> Any:
    """What the tests drive JupyterLab with."""
    spec = importlib.util.spec_from_file_location("lab_driver", ROOT / "tests" / "browser" / "lab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lab_driver"] = module
    spec.loader.exec_module(module)
    return module


def keep(page: bytes, path: Path) -> None:
    """A picture as WebP, as sharp as the limit allows."""
    picture = Image.open(io.BytesIO(page)).convert("RGB")
    for quality in (90, 80, 70, 60, 50):
        out = io.BytesIO()
        picture.save(out, "webp", quality=quality, method=6)
        if out.tell() <= LIMIT:
            break
    path.write_bytes(out.getvalue())


def main(folder: Path, wanted: tuple[str, ...]) -> None:
    from playwright.sync_api import sync_playwright

    from voxloop.lab import extensions

    driver = helper()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=driver.chromium(), args=driver.CHROMIUM_ARGS)
        server = driver.LabServer(Path(scratch) / "lab", (), extensions())
        lab = driver.Lab(server, browser, Path(scratch), size=SIZE)
        try:
            lab.notebook(SETUP.format(folder=str(Path(scratch) / "ws")), WORK, VIEW3D)
            lab.run(0, timeout=180)
            lab.run(1, timeout=400)
            lab.page.set_default_timeout(60_000)
            bench = lab.output(0)
            for step in [one for one in STEPS if one in wanted]:
                bench.locator(".vx-steps").get_by_role("tab", name=step).click()
                if step == "Volume":
                    bench.get_by_role("button", name="Samples").click()
                lab.page.wait_for_timeout(6000)
                bench.scroll_into_view_if_needed()
                keep(bench.screenshot(animations="disabled"), folder / f"{step.lower()}.webp")
                if step == "Train":
                    bench.locator(".vx-train-runs .vx-rows-line", has_text="shallow-1").click()
                    lab.page.wait_for_timeout(4000)
                    keep(bench.screenshot(animations="disabled"), folder / "monitor.webp")
            if "View3D" in wanted:
                lab.run(2)
                lab.until("view.scene.surfaces and not view._words.value", timeout=90)
                view = lab.output(2)
                view.scroll_into_view_if_needed()
                lab.page.wait_for_timeout(6000)
                keep(view.screenshot(animations="disabled"), folder / "view3d.webp")
            if "People" in wanted:
                bench.locator(".vx-steps").get_by_role("tab", name="Label").click()
                bench.get_by_role("button", name="People").click()
                bench.locator("select:visible").filter(has_text="nobody").last.select_option("Ann")
                lab.page.wait_for_timeout(6000)
                bench.get_by_role("button", name="People").scroll_into_view_if_needed()
                keep(bench.screenshot(animations="disabled"), folder / "people.webp")
        finally:
            lab.close()
            server.close()
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or (*STEPS, "People", "View3D"))
