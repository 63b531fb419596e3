"""The commands that bring models of others, and send those of yours: ``pull`` and ``push``."""

from __future__ import annotations

from pathlib import Path

import click

from voxloop.cli.terminal import as_json, open_workspace, tell


@click.command()
@click.argument("source")
@click.option("--to", type=click.Path(path_type=Path), help="Folder to keep it in; else the cache.")
@click.option("--revision", help="Branch, tag or commit of a repository of Hugging Face.")
@click.option("--sha256", help="What the .zip or rdf.yaml should be, where you know it.")
@click.option("--offline", is_flag=True, help="Take what was pulled before, and ask nobody.")
@click.option("--limit-gb", type=float, default=4.0, show_default=True, help="Gigabytes that it may have.")
@as_json
def pull(
    source: str,
    to: Path | None,
    revision: str | None,
    sha256: str | None,
    offline: bool,
    limit_gb: float,
    as_json: bool,
) -> None:
    """Bring the model SOURCE here: an id of bioimage.io, hf:somebody/model, an address, or a file.

    Size, licence and authors are said, hashes checked, and no file is fetched that could run code. The folder that is
    printed is what `voxloop predict WORKSPACE FOLDER` takes.
    """
    from voxloop.exchange import pull as bring

    found = bring(source, to, revision=revision, sha256=sha256, offline=offline, limit_gb=limit_gb, quiet=as_json)
    facts = {
        "path": str(found.path),
        "source": found.source,
        "revision": found.revision,
        "title": found.title,
        "licence": found.licence,
        "authors": list(found.authors),
        "bytes": found.size,
    }
    tell(as_json, str(found.path), facts)


@click.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.argument("run")
@click.argument("repository")
@click.option("--licence", default="", help="Such as cc-by-4.0; wanted with --public.")
@click.option("--by", "authors", multiple=True, metavar="NAME", help="An author for its README; repeat.")
@click.option("--about", default="", help="What its README says.")
@click.option("--public", is_flag=True, help="Everybody sees it; else you and those you invite.")
@click.option("--samples", is_flag=True, help="Also the numbers that a pixel classifier learnt from.")
@as_json
def push(
    workspace: Path,
    run: str,
    repository: str,
    licence: str,
    authors: tuple[str, ...],
    about: str,
    public: bool,
    samples: bool,
    as_json: bool,
) -> None:
    """Send the model of RUN to REPOSITORY (hf:you/model), or the package RUN (.zip) to bioimage.io.

    Who you are is known to `hf auth login` or HF_TOKEN; no token is taken, kept or printed here.
    """
    from voxloop.exchange import push as send

    with open_workspace(workspace, read_only=True) as ws:
        done = send(
            ws.runs.get(run, run),
            repository,
            licence=licence,
            authors=authors,
            description=about,
            public=public,
            samples=samples,
            quiet=as_json,
        )
    facts = {"address": done.address, "revision": done.revision, "private": done.private, "files": done.files}
    tell(as_json, str(done), facts)
