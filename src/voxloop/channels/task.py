"""The task of a run that computes channels whole, and the opening of what came out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxloop.channels.evaluation import ChannelChain
from voxloop.channels.keeping import keep_channel, kept_channel
from voxloop.channels.recipe import ChannelRecipe, check_chain, digest
from voxloop.errors import RunError
from voxloop.runs.orders import Ordered, obey
from voxloop.runs.runner import read_config
from voxloop.store import Store
from voxloop.store.layout import Layout

if TYPE_CHECKING:
    from xarray import DataArray

    from voxloop.runs.context import TaskContext

#: seconds between two progress events, at least
_EVERY = 0.5


def run(context: TaskContext) -> str:
    """Compute the channels named in the run's config whole, into ``derived/channels``.

    ``config``: ``image``, ``channels`` (names), ``recipes`` (of these and of all that they are made of, as they were
    when the run was made). A channel that is there already is passed over, so a run that is started again goes on.
    """
    image, names = str(context.config["image"]), [str(name) for name in context.config["channels"]]
    recipes = check_chain([ChannelRecipe.of(one) for one in context.config["recipes"]])
    with Store.open(context.workspace, read_only=True) as store:
        volume, mark = store.images.open(image), store.images.info(image).fingerprint
        for number, name in enumerate(name for name in recipes if name in names):
            place, made_of = context.layout.channel(name, image), digest(name, recipes)
            context.layout.check_unlinked(place)
            if kept_channel(place, made_of, mark) is not None:
                continue
            context.emit("log", text=f"channel {name!r}: {recipes[name].words}")
            chain = ChannelChain(volume, recipes.values(), _kept(context.layout, recipes, image, mark))
            try:
                keep_channel(chain.lazy(name), place, made_of, mark, _Told(context, number, len(names)))
            except Ordered as order:
                return str(order)
    return "finished"


def open_result(run_path: str | Path) -> list[DataArray]:
    """The channels that a run computed. Raises RunError where one is gone or was changed since."""
    path = Path(run_path).resolve()
    layout = Layout.of_run(path)
    config = read_config(path)
    recipes = check_chain([ChannelRecipe.of(one) for one in config["recipes"]])
    with Store.open(layout.root, read_only=True) as store:
        kept = _kept(layout, recipes, config["image"], store.images.info(config["image"]).fingerprint)
    gone = [name for name in config["channels"] if name not in kept]
    if gone:
        raise RunError(f"channel {gone[0]!r} of run {path.name!r} is no longer there; compute it again")
    return [kept[name] for name in config["channels"]]


def _kept(layout: Layout, recipes: dict[str, ChannelRecipe], image: str, mark: str) -> dict[str, DataArray]:
    found = {name: kept_channel(layout.channel(name, image), digest(name, recipes), mark) for name in recipes}
    return {name: volume for name, volume in found.items() if volume is not None}


class _Told:
    """Tells how far the run is, and stops it where it is ordered to end."""

    def __init__(self, context: TaskContext, number: int, count: int) -> None:
        self._context, self._number, self._count = context, number, count
        self._last = 0.0

    def __call__(self, done: int, total: int) -> Any:
        obey(self._context.orders())
        if time.monotonic() - self._last > _EVERY or done == total:
            self._last = time.monotonic()
            megabytes = total // 10**6 + 1
            at = self._number * megabytes + done * megabytes // max(1, total)
            self._context.emit("progress", done=at, total=self._count * megabytes, unit="MB")
