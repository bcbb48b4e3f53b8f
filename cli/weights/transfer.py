"""The transfer of model files to this machine, which `atelier weights fetch` and `import` share."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event

import rich_click as click

from cli.weights.byte_bars import byte_bars, format_size, print_progress
from cli.weights.context import WeightsContext
from core.signals import deferred
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.fetch import FetchStopped, Offer, Outcome, alone, fetch
from pipelines.weights.fetch_plan import FetchItem, NoRoom, plan_models, refuse_full_disk
from pipelines.weights.hub import FetchError
from pipelines.weights.lock_writer import add_converted
from pipelines.weights.verify import misplaced


def transfer(
    context: WeightsContext,
    specs: Sequence[ModelSpec],
    offer: Offer,
    *,
    jobs: int,
    resolve_item: Callable[[FetchItem], FetchItem] = lambda item: item,
    is_lenient: bool = False,
) -> list[str]:
    """Get the files of models by `offer`, print the state of each model, and return the failures as sentences.

    With `is_lenient` a model that is refused, or of which no file was found, is not a failure. The facts of converted
    files are recorded. Exits with 130 on Ctrl-C.
    """
    planned, refused = plan_models(specs, context.lock, context.folder, context.allowed, casts=context.can_write)
    if not context.can_write:
        _tell_what_is_not_cast(planned)
    items, outcome = [resolve_item(item) for item in planned], Outcome()
    try:
        refuse_full_disk(items, context.folder)
        size = sum(item.facts.size or 0 for item in items)
        if items:
            print_progress(f"{len(items)} files, {format_size(size)} in all")
        with _set_by_ctrl_c() as stop, alone(context.folder), byte_bars(size) as bars:
            fetch(items, offer, outcome, bars, jobs=jobs, stop=stop)
    except FetchStopped:
        click.echo("Stopped. The received bytes are kept: run the command again to resume.", err=True)
        raise SystemExit(130) from None
    except (FetchError, NoRoom, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        lock = add_converted(context.lock, outcome.converted)
        changed = {key for key, _ in outcome.converted}
        if changed:
            context = context.record({key: lock.models[key] for key in changed})
    return [text for spec in specs for text in _report(context, spec, outcome, refused, is_lenient)]


def _tell_what_is_not_cast(planned: Sequence[FetchItem]) -> None:
    """Print the models whose files stay as they are published, since the lock could not say what they became."""
    stays = {one.bundle.key for one in planned if one.storing is None and one.bundle.source.storing(one.path)}
    for key in sorted(stays):
        click.echo(f"{key}: stored as it is published, since weights.lock cannot be written")


@contextmanager
def _set_by_ctrl_c() -> Iterator[Event]:
    """Set an event on SIGINT, instead of an exception, which Python ignores when it is raised in a finalizer."""
    stop = Event()
    set_stop = deferred(stop.set, "stop")
    before = signal.signal(signal.SIGINT, lambda *_: set_stop())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _report(
    context: WeightsContext, spec: ModelSpec, outcome: Outcome, refused: dict[str, str], is_lenient: bool
) -> Iterator[str]:
    """Print the state of a model, or yield its failures."""
    keys = {bundle.key for bundle in spec.bundles}
    failed = [f"{key}: {why}" for key, why in outcome.away.items() if key in keys]
    failed += [f"{key}: {path}: {why}" for (key, path), why in outcome.failed.items() if key in keys]
    if not failed:
        failed = [text for bundle in spec.bundles for text in misplaced(bundle, context.lock, context.folder)]
    (state,) = context.states([spec])
    if is_lenient and (spec.id in refused or not state.files_here):
        click.echo(f"{spec.id}: {refused.get(spec.id, state.text)}")
    elif spec.id in refused:
        yield refused[spec.id]
    elif failed:
        yield from failed
    else:
        click.echo(f"{spec.id}: {state.text}")
