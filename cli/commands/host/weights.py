"""`atelier weights`: model files and the lock that pins them."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.local.data_dir import data_option
from cli.output.tables import json_option, print_json, print_table
from cli.weights.byte_bars import bars, size_text
from cli.weights.context import WeightsContext, remote, weights_context
from cli.weights.transfer import bring

if TYPE_CHECKING:
    from pipelines.catalog.spec import ModelSpec
    from pipelines.weights.status import ModelState

models_argument = click.argument("models", nargs=-1, metavar="[MODEL]...")


@click.group()
def weights() -> None:
    """Model files and weights.lock."""


@weights.command("list")
@json_option
@data_option
def list_(data: Path, as_json: bool) -> None:
    """Every model of the catalog: its licence, its size, and how far its files are here."""
    known = weights_context(data, new_lock=True)
    if as_json:
        print_json(known.states(known.catalog.models))
    else:
        _print_states(known, known.catalog.models)


@weights.command()
@models_argument
@click.option("--update", is_flag=True, help="Take new facts where they contradict those of the same revision.")
@data_option
def lock(data: Path, models: tuple[str, ...], update: bool) -> None:
    """Write what the files of models are into weights.lock.

    Models in a folder are locked as the folder is now. Of those from afar the server is asked for what is not known
    yet, and for everything when they are named; files that it tells no sha256 of are downloaded and hashed.
    """
    from core.errors import WeightsNotLocked
    from pipelines.weights import lock_writer
    from pipelines.weights.fetch import alone
    from pipelines.weights.hub import FetchError
    from pipelines.weights.lockfile import Lock

    known = weights_context(data, new_lock=True)
    every = [bundle for spec in known.catalog.models for bundle in spec.bundles]
    made, failed = lock_writer.drop_unknown_bundles(known.lock, every), []
    for bundle in (bundle for spec in known.chosen(models) for bundle in spec.bundles):
        if bundle.source.is_remote and not models and not update and lock_writer.is_complete(bundle, made):
            click.echo(f"{bundle.key}: known already")
            continue
        try:
            with alone(known.folder) if bundle.source.is_remote else nullcontext():
                facts = lock_writer.lock_bundle(bundle, made, known.folder, update=update)
        except (FetchError, WeightsNotLocked, lock_writer.FactsDiffer, OSError) as error:
            failed.append(f"{bundle.key}: {error}")
            continue
        made = Lock({**made.models, bundle.key: facts})
        known.write(made)  # after each: the next server may be away
        trusted = " (its first download is trusted: compare the sha256 with its publisher's)" if facts.url else ""
        click.echo(f"{bundle.key}: {len(facts.files)} files{trusted}")
    known.write(made)
    _end(failed, "not locked; facts that were there stay as they are")


@weights.command()
@models_argument
@click.option("--all", "everything", is_flag=True, help="Every model that can be fetched under an allowed licence.")
@click.option(
    "--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files that are fetched at once."
)
@data_option
def fetch(data: Path, models: tuple[str, ...], everything: bool, jobs: int) -> None:
    """Download models, verified against weights.lock.

    What is here already and right stays; what was broken off goes on from where it was. HF_ENDPOINT names a mirror of
    the hub, HF_TOKEN opens gated models, HTTPS_PROXY and ATELIER_CA_BUNDLE lead through a proxy.
    """
    from pipelines.catalog.licenses import is_allowed
    from pipelines.weights.fetch import download

    known = weights_context(data)
    specs = known.chosen(models) if models else remote(known.catalog.models)
    if not models and not everything:
        _print_states(known, specs)
        raise click.UsageError("say which: atelier weights fetch MODEL..., or --all")
    if not models:
        specs = [spec for spec in specs if is_allowed(spec, known.allowed)]
    _end(bring(known, specs, download, jobs=jobs), "not fetched; run it again to go on")


@weights.command("import")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@models_argument
@click.option("--link", is_flag=True, help="Hard links instead of copies; DIR must be on the same file system.")
@data_option
def import_(data: Path, folder: Path, models: tuple[str, ...], link: bool) -> None:
    """Take files that were carried in by hand, for a machine that reaches no hub.

    DIR may be a cache of huggingface_hub, a copy of a repository or of a weights folder, or a heap: files are found by
    their size and sha256, and nothing else is taken. Models of which DIR has no file are passed over unless named.
    """
    from pipelines.weights.offline_import import LocalFiles

    known, carried = weights_context(data), LocalFiles(folder, link=link)
    specs = known.chosen(models) if models else remote(known.catalog.models)
    failed = bring(known, specs, carried.offer, resolve_item=carried.resolve_item, jobs=1, is_lenient=not models)
    _end(failed, f"not found in {folder}")


@weights.command()
@models_argument
@data_option
def verify(data: Path, models: tuple[str, ...]) -> None:
    """Hash every file and compare it with weights.lock.

    Models of which nothing is here are passed over unless named.
    """
    from functools import partial

    from pipelines.weights.files import hash_file
    from pipelines.weights.verify import differences

    known, failed = weights_context(data), []
    specs = [spec for spec in known.chosen(models) if spec.bundles]
    states = {state.id: state for state in known.states(specs)}
    with bars(sum(state.size for state in states.values() if state.files_here)) as shown:
        for spec in specs:
            if not models and not states[spec.id].files_here:
                click.echo(f"{spec.id}: {states[spec.id].text}")
                continue
            shown.begin(spec.id, states[spec.id].size)
            digest = partial(hash_file, advance=partial(shown.advance, spec.id))
            problems = [text for one in spec.bundles for text in differences(one, known.lock, known.folder, digest)]
            shown.end(spec.id)
            failed += problems
            if not problems:
                click.echo(f"{spec.id}: as locked")
    _end(failed, "not as weights.lock says; such a model will not be loaded")


def _print_states(known: WeightsContext, specs: "Iterable[ModelSpec]") -> None:
    states = known.states(specs)
    rows = [[state.id, state.tier, state.licence, _size(state), state.text] for state in states]
    print_table(["model", "tier", "licence", "size", "state"], rows)


def _size(state: "ModelState") -> str:
    at_least = "at least " if state.files_unknown else ""
    return f"{at_least}{size_text(state.size)}" if state.size else ""


def _end(failed: list[str], what: str) -> None:
    """Fail with the list, unless it is empty."""
    if failed:
        raise click.ClickException("\n".join([*failed, what]))
