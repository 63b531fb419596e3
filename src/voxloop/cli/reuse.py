"""The command on what other workspaces have to offer."""

from __future__ import annotations

from pathlib import Path

import click

from voxloop.cli.terminal import as_json, open_workspace, tell


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option("--add", "added", multiple=True, metavar="PATH", help="Offer what this workspace or folder has; repeat.")
@click.option("--remove", "removed", multiple=True, metavar="PATH", help="Offer nothing of it any more; repeat.")
@as_json
def reuse(workspace: Path, added: tuple[str, ...], removed: tuple[str, ...], as_json: bool) -> None:
    """List models and channels of other workspaces that are offered in this one, or add such a workspace."""
    with open_workspace(workspace, read_only=None if added or removed else True) as ws:
        for path in added:
            ws.reuse.add(path)
        for path in removed:
            ws.reuse.remove(path)
        paths, models, recipes = ws.reuse.paths, ws.reuse.models, ws.reuse.recipes
    lines = [f"{kind:9s} {name:28s} {path}" for kind, of in (("model", models), ("channels", recipes))
             for name, path in of.items()]  # fmt: skip
    facts = {
        "reuse": [str(path) for path in paths],
        "models": {name: str(path) for name, path in models.items()},
        "channels": {name: str(path) for name, path in recipes.items()},
    }
    tell(as_json, "\n".join(lines) or "nothing is reused yet; add a workspace with --add", facts)
