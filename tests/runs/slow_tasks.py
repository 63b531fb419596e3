"""A task whose module takes a while to import, as torch does."""

import time
from pathlib import Path

time.sleep(1.0)
imported_at = time.time()
warmed: list[float] = []


def warm() -> None:
    warmed.append(time.time())


def train(context) -> str:
    context.emit("log", text="here", imported=imported_at, warmed=bool(warmed))
    (context.path / "model").mkdir()
    Path(context.path, "model", "spec.json").write_text("{}")
    return next((f"{order.kind}led" for order in context.orders() if order.kind == "cancel"), "finished")
