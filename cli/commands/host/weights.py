"""`atelier weights`: model files and the lock that pins them.

What speaks to a hub is imported by the commands that need it: `list` and `verify` run without the extra `worker`.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import rich_click as click

from cli.local.data_dir import data_option
from cli.output.model_columns import TITLES, needs
from cli.output.sizes import format_disk
from cli.output.status import print_line
from cli.output.tables import json_option, print_json, print_note, print_table
from cli.weights.byte_bars import byte_bars
from cli.weights.context import WeightsContext, remote, weights_context
from pipelines.catalog.licenses import is_allowed
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.files import hash_file
from pipelines.weights.verify import differences

models_argument = click.argument("models", nargs=-1, metavar="[MODEL]...")


@click.group()
def weights() -> None:
    """Manage model files and weights.lock."""


@weights.command("list")
@json_option
@data_option
def list_(data: Path, as_json: bool) -> None:
    """List the models of the catalog: license, size, the state of their files on this machine, and what they take."""
    context = weights_context(data, new_lock=True)
    if as_json:
        print_json(context.states(context.catalog.models))
    else:
        _print_states(context, context.catalog.models)


@weights.command()
@models_argument
@click.option("--update", is_flag=True, help="Replace facts that the server contradicts at the same revision.")
@data_option
def lock(data: Path, models: tuple[str, ...], update: bool) -> None:
    """Write the size and the sha256 of the files of models into weights.lock.

    A local model is locked as its folder is now. For a remote model the command asks the server for missing facts, and
    for all facts when the model is named; a file without a published sha256 is downloaded and hashed. Where
    weights.lock cannot be written, the facts go into the one of the weights folder.
    """
    from cli.weights.pinning import pin
    from pipelines.weights.fetch import Downloads
    from pipelines.weights.lock_writer import drop_unknown_bundles, is_complete

    context = weights_context(data, new_lock=True)
    context.rewrite(partial(drop_unknown_bundles, bundles=context.bundles))
    bundles = {bundle.key: bundle for spec in context.choose(models) for bundle in spec.bundles}.values()
    known = [one for one in bundles if one.source.is_remote and is_complete(one, context.lock)]
    known = [] if models or update else known
    for bundle in known:
        print_line(f"{bundle.key}: known already")
    _, failed = pin(context, [one for one in bundles if one not in known], Downloads(), update=update)
    _fail_if_any([f"{key}: {why}" for key, why in failed.items()], "not locked; earlier facts stay as they are")


@weights.command()
@models_argument
@click.option("--all", "everything", is_flag=True, help="Every remote model with an allowed license.")
@click.option("--jobs", type=click.IntRange(1, 32), default=4, show_default=True, help="Files fetched at once.")
@click.option("--trust-first-use", is_flag=True, help="Lock a file that no commit pins by its first download.")
@data_option
def fetch(data: Path, models: tuple[str, ...], everything: bool, jobs: int, trust_first_use: bool) -> None:
    """Download models, verified against weights.lock.

    Facts that the lock lacks are first taken from the commit that the catalog names, and written to the lock, or to the
    one of the weights folder where the lock cannot be written. Files that are complete stay; an interrupted download
    resumes. HF_ENDPOINT names a mirror of the hub, HF_TOKEN opens gated models, HTTPS_PROXY and ATELIER_CA_BUNDLE
    configure a proxy.
    """
    from cli.weights.pinning import pin_models
    from cli.weights.transfer import transfer
    from pipelines.weights.fetch import Downloads

    context = weights_context(data, new_lock=True)
    specs = context.choose(models) if models else remote(context.catalog.models)
    if not models and not everything:
        _print_states(context, specs)
        raise click.UsageError("name models, or give --all: atelier weights fetch MODEL...")
    if not models:
        specs = [spec for spec in specs if is_allowed(spec, context.allowed)]
    downloads = Downloads()
    context, failed = pin_models(context, specs, downloads, trust_first_use=trust_first_use)
    pinned = [spec for spec in specs if spec.id not in failed]
    problems = [*failed.values(), *transfer(context, pinned, downloads.offer, jobs=jobs)]
    _fail_if_any(problems, "not fetched; run the command again to resume")


@weights.command("import")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@models_argument
@click.option("--link", is_flag=True, help="Hard links instead of copies; DIR must be on the same file system.")
@data_option
def import_(data: Path, folder: Path, models: tuple[str, ...], link: bool) -> None:
    """Import files from a folder, for a machine that cannot reach a hub.

    DIR may be a cache of huggingface_hub, a copy of a repository or of a weights folder, or any folder of files: they
    are found by size and sha256, and no other file is imported. A model without any file in DIR is skipped unless it
    is named.
    """
    from cli.weights.transfer import transfer
    from pipelines.weights.offline_import import LocalFiles

    context, files = weights_context(data), LocalFiles(folder, link=link)
    specs = context.choose(models) if models else remote(context.catalog.models)
    failed = transfer(context, specs, files.offer, resolve_item=files.resolve_item, jobs=1, is_lenient=not models)
    _fail_if_any(failed, f"not found in {folder}")


@weights.command()
@models_argument
@data_option
def verify(data: Path, models: tuple[str, ...]) -> None:
    """Hash every file and compare it with weights.lock.

    A model without any file on this machine is skipped unless it is named.
    """
    context, failed = weights_context(data), []
    specs = [spec for spec in context.choose(models) if spec.bundles]
    states = {state.id: state for state in context.states(specs)}
    with byte_bars(sum(state.size for state in states.values() if state.files_here)) as bars:
        for spec in specs:
            if not models and not states[spec.id].files_here:
                click.echo(f"{spec.id}: {states[spec.id].text}")
                continue
            bars.begin(spec.id, states[spec.id].size)
            digest = partial(hash_file, advance=partial(bars.advance, spec.id))
            problems = [
                text for bundle in spec.bundles for text in differences(bundle, context.lock, context.folder, digest)
            ]
            bars.end(spec.id)
            failed += problems
            if not problems:
                click.echo(f"{spec.id}: as locked")
    _fail_if_any(failed, "different from weights.lock; such a model is not loaded")


def _print_states(context: WeightsContext, specs: Iterable[ModelSpec]) -> None:
    """Print the table, and what a person should know of a state."""
    states = context.states(specs)
    rows = [
        [
            state.id,
            state.tier,
            state.licence,
            state.text,
            *needs(state, format_disk(state.size, is_whole=state.is_size_whole)),
        ]
        for state in states
    ]
    print_table(["model", "tier", "license", "state", *TITLES], rows, optional=["tier", *TITLES, "license"])
    for state in states:
        if state.state in ("stray files", "not locked"):
            print_note(f"{state.why}")
    lacking = ", ".join(state.id for state in states if state.state == "unknown facts")
    if lacking:
        print_note(
            f"weights.lock does not have the sha256 of every file of {lacking} yet: `atelier weights fetch` takes what "
            "it lacks from the commit that the catalog names, and writes it down before the model is downloaded."
        )


def _fail_if_any(failed: list[str], outcome: str) -> None:
    """Raise `ClickException` with the failures and their outcome, unless there are none."""
    if failed:
        raise click.ClickException("\n".join([*failed, outcome]))
