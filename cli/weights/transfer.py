"""Getting the files of models here, from wherever: what `atelier weights fetch` and `import` have in common."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import rich_click as click

from cli.weights.byte_bars import bars
from cli.weights.context import WeightsContext

if TYPE_CHECKING:
    from pipelines.catalog.spec import ModelSpec
    from pipelines.weights.fetch import Offer, Outcome
    from pipelines.weights.fetch_plan import FetchItem


def bring(
    known: WeightsContext,
    specs: "Sequence[ModelSpec]",
    offer: "Offer",
    *,
    jobs: int,
    resolve_item: "Callable[[FetchItem], FetchItem]" = lambda item: item,
    is_lenient: bool = False,
) -> list[str]:
    """Get the files of models by `offer`, say how each model is now, and return what failed, as sentences.

    A model that can not be had at all, or of which there is no file, is no failure if `is_lenient`. What pickles have
    become goes into the lock. Exits with 130 on Ctrl-C.
    """
    from pipelines.weights.fetch import FetchStopped, Outcome, alone, fetch
    from pipelines.weights.fetch_plan import NoRoom, plan_models, refuse_full_disk
    from pipelines.weights.hub import FetchError
    from pipelines.weights.lock_writer import add_converted
    from pipelines.weights.lockfile import read_lock

    planned, refused = plan_models(specs, known.lock, known.folder, known.allowed)
    wanted, outcome = [resolve_item(item) for item in planned], Outcome()
    try:
        refuse_full_disk(wanted, known.folder)
        size = sum(item.facts.size or 0 for item in wanted)
        with _set_by_ctrl_c() as stop, alone(known.folder), bars(size) as shown:
            fetch(wanted, offer, outcome, shown, jobs=jobs, stop=stop)
    except FetchStopped:
        click.echo("Stopped. What has come is kept: run it again to go on.", err=True)
        raise SystemExit(130) from None
    except (FetchError, NoRoom, OSError) as error:
        raise click.ClickException(str(error)) from None
    finally:
        lock = known.lock
        if outcome.converted:
            lock = add_converted(read_lock(known.lock_file), outcome.converted)  # others may have written meanwhile
            known.write(lock)
    return [text for spec in specs for text in _tell(known._replace(lock=lock), spec, outcome, refused, is_lenient)]


@contextmanager
def _set_by_ctrl_c() -> Iterator[Event]:
    """An event instead of an exception, which could come where Python ignores it: in a finaliser."""
    stop = Event()
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(
    known: WeightsContext, spec: "ModelSpec", outcome: "Outcome", refused: dict[str, str], is_lenient: bool
) -> "Iterator[str]":
    """Print what became of a model, and yield what failed."""
    from pipelines.weights.verify import misplaced

    keys = {bundle.key for bundle in spec.bundles}
    failed = [f"{key}: {path}: {why}" for (key, path), why in outcome.failed.items() if key in keys]
    if not failed:
        failed = [text for bundle in spec.bundles for text in misplaced(bundle, known.lock, known.folder)]
    (state,) = known.states([spec])
    if is_lenient and (spec.id in refused or not state.files_here):
        click.echo(f"{spec.id}: {refused.get(spec.id, state.text)}")
    elif spec.id in refused:
        yield refused[spec.id]
    elif failed:
        yield from failed
    else:
        click.echo(f"{spec.id}: {state.text}")
