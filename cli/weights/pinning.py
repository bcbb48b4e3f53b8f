"""Facts of model files that the locks lack, asked of their servers and written to a lock."""

from collections.abc import Iterable
from functools import partial

from cli.output.status import print_line
from cli.weights.byte_bars import byte_bars
from cli.weights.context import WeightsContext
from core.errors.failures import WeightsNotLocked
from pipelines.catalog.licenses import is_allowed
from pipelines.catalog.spec import Bundle, ModelSpec
from pipelines.weights.download import ServerContact
from pipelines.weights.fetch import Downloads, alone
from pipelines.weights.hub import FetchError, Unreachable, server_of
from pipelines.weights.lock_writer import FactsDiffer, is_complete, lock_bundle
from pipelines.weights.lockfile import LockedModel


def pin(
    context: WeightsContext, bundles: Iterable[Bundle], downloads: Downloads, *, update: bool = False
) -> tuple[WeightsContext, dict[str, str]]:
    """Ask for the facts of these bundles, record and print them.

    Returns the context that knows them, and by key why the others could not be had. A server that does not answer is
    asked once only.
    """
    failed: dict[str, str] = {}
    for bundle in bundles:
        contact = downloads.contact(bundle.source) if bundle.source.is_remote else ServerContact()
        if contact.failure is not None:
            failed[bundle.key] = contact.failure
            continue
        try:
            facts = _facts(context, bundle, update=update)
        except Unreachable as error:
            failed[bundle.key] = contact.give_up(error)
        except (FetchError, WeightsNotLocked, FactsDiffer, OSError) as error:
            failed[bundle.key] = str(error)
        else:
            context = context.record({bundle.key: facts})  # after each: the next server may be unreachable
            print_line(_describe(context, bundle, facts))
    return context, failed


def pin_models(
    context: WeightsContext, specs: Iterable[ModelSpec], downloads: Downloads, *, trust_first_use: bool
) -> tuple[WeightsContext, dict[str, str]]:
    """Ask for the facts that the locks lack of these models, as `pin` does; the failures are by the model's id.

    A file that no commit pins is downloaded for its facts only with `trust_first_use`.
    """
    failed: dict[str, str] = {}
    for spec in specs:
        lacking = [one for one in spec.bundles if one.source.is_remote and not is_complete(one, context.lock)]
        if not is_allowed(spec, context.allowed):
            continue  # the transfer refuses it
        if not trust_first_use and any(one.source.url for one in lacking):
            failed[spec.id] = (
                f"{spec.id}: no commit pins its file, and no lock knows it: give --trust-first-use to lock what comes "
                "first, and compare the sha256 with its publisher's"
            )
            continue
        context, why = pin(context, lacking, downloads)
        if why:
            failed[spec.id] = "\n".join(f"{key}: {text}" for key, text in why.items())
    return context, failed


def _facts(context: WeightsContext, bundle: Bundle, *, update: bool) -> LockedModel:
    if not bundle.source.is_remote:
        return lock_bundle(bundle, context.lock, context.folder, update=update)
    print_line(f"{bundle.key}: asking {server_of(bundle.source)} for its files")
    with alone(context.folder), byte_bars(None) as bars:
        bars.begin(bundle.key, 0)
        try:
            return lock_bundle(
                bundle, context.lock, context.folder, update=update, advance=partial(bars.advance, bundle.key)
            )
        finally:
            bars.end(bundle.key)


def _describe(context: WeightsContext, bundle: Bundle, facts: LockedModel) -> str:
    said = f"{bundle.key}: {len(facts.files)} files"
    if facts.url is not None:
        (file,) = facts.files.values()
        said += f" (its first download is trusted: compare the sha256 with its publisher's: {file.sha256})"
    elif facts.revision is not None:
        said += f", as commit {facts.revision} has them"
    return said if context.can_write else f"{said}; written to {context.target}"
