"""The CPU worker: ingest, webhooks, maintenance and retention, until SIGTERM.

It needs PostgreSQL and, for inputs, the store; with Redis the other processes only react sooner. Any number of CPU
workers may run: they share the work through leases and advisory locks.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from core.database import async_engine, threads_engine
from core.logs import start_logs
from core.metrics import CPU, expose
from core.sandbox.kernel import hide_memory
from core.settings import Settings, settings
from core.signing import check_secret_key
from core.startup.settings_check import check_settings, settings_refused
from core.storage.store import open_store
from core.tracing import start_tracing
from workers.batches.service import BatchWork
from workers.chains.service import ChainWork
from workers.cpu.adoption import LOOK_SECONDS as ADOPTION_SECONDS
from workers.cpu.adoption import Adoption
from workers.cpu.bells import hear_bells
from workers.cpu.budgets import CORRECTION_SECONDS, Budgets
from workers.cpu.due_watch import DueWatch
from workers.cpu.growth import LOOK_SECONDS, Growth
from workers.cpu.job_maintenance import JobMaintenance
from workers.cpu.periodic import repeat, wait
from workers.cpu.retention import Retention
from workers.cpu.uploads import SIZES_SECONDS, UploadSizes
from workers.cpu.usage import FOLD_SECONDS, ROLL_UP_SECONDS, UsageRollUp
from workers.ingest.service import Ingest
from workers.library.analyses import AnalysisWork
from workers.library.analysis_kinds import chosen_kinds
from workers.library.service import LibraryWork
from workers.probe_files import ProbeFiles
from workers.remote.service import BackendService, check_backends
from workers.retry_policy import RetryPolicy
from workers.webhooks.dispatcher import WebhookDispatcher

log = logging.getLogger(__name__)

ALIVE_SECONDS = 5.0
KEYS_SECONDS = 3600.0
INPUTS_INTERVALS = 6
"""Old inputs, which are kept for an hour or so, are looked for once in so many intervals of upkeep."""
RETENTION_SECONDS = 60.0
ORPHANS_SECONDS = 300.0


def main() -> NoReturn:
    """Run until SIGTERM or SIGINT, then end the process; a wrong setting ends it with a sentence."""
    hide_memory()
    with settings_refused("cpu worker"):
        chosen = settings()
        check(chosen)
        expose(chosen, CPU)
    start_logs(chosen, "cpu")
    asyncio.run(_until_signal(chosen))
    logging.shutdown()
    os._exit(0)  # Python would wait for threads that wait for a name server


def check(settings: Settings) -> None:
    """Raise `ValueError` for settings that this worker cannot run with."""
    check_secret_key(settings)
    check_settings(settings)
    check_backends(settings)
    chosen_kinds(settings.library_analyses)
    RetryPolicy.parse(settings.webhook_schedule)


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Run every loop until `stop`, then finish the work in progress."""
    db, recovery_db, async_db = threads_engine(settings), threads_engine(settings), async_engine(settings)
    backend_db = threads_engine(settings)
    store, stop_tracing = open_store(settings), start_tracing(settings, "atelier-cpu")
    recovery = JobMaintenance(settings, recovery_db, store)
    maintenance = JobMaintenance(settings, db, store)
    retention = Retention(settings, db, store)
    webhooks = WebhookDispatcher(settings, async_db)
    backends = BackendService(settings, backend_db, store)
    ingest = Ingest(settings, async_db, store)
    library, analyses = LibraryWork(settings, async_db, store), AnalysisWork(settings, db, store)
    batches, chains, usage = BatchWork(settings, db, store), ChainWork(settings, db), UsageRollUp(db)
    watch, probe_files = DueWatch(settings, async_db, recovery.contact), ProbeFiles(settings, "cpu")

    async def touch_probe_files() -> bool:
        probe_files.touch(ready=True)
        return False

    log.info("cpu worker: started")
    try:
        await asyncio.to_thread(backends.start)
        async with asyncio.TaskGroup() as loops:
            for name, turn, seconds, sleep in (
                ("alive", touch_probe_files, ALIVE_SECONDS, wait),
                ("due", watch.look, watch.seconds, watch.sleep),
                ("ingest", ingest.start_due, settings.input_poll_seconds, watch.pause_of("ingest")),
                ("leases of inputs", ingest.renew_leases, settings.input_lease_seconds / 4, wait),
                ("webhooks", webhooks.start_due, settings.webhook_poll_seconds, watch.pause_of("webhooks")),
                ("upkeep", in_thread(recovery.recover_jobs), settings.upkeep_seconds, watch.pause_of("recovery")),
                ("purge", in_thread(maintenance.purge_jobs), settings.upkeep_seconds, watch.pause_of("purge")),
                ("old inputs", in_thread(maintenance.remove_inputs), INPUTS_INTERVALS * settings.upkeep_seconds, wait),
                (
                    "old uploads",
                    in_thread(maintenance.remove_uploads),
                    settings.upkeep_seconds,
                    watch.pause_of("uploads"),
                ),
                ("library", library.start_due, settings.input_poll_seconds, watch.pause_of("library")),
                ("analyses", in_thread(analyses.advance), settings.upkeep_seconds, wait),
                ("answers of analyses", in_thread(analyses.remove_left), RETENTION_SECONDS, wait),
                ("batches", in_thread(batches.advance), settings.input_poll_seconds, watch.pause_of("batches")),
                ("chains", in_thread(chains.advance), settings.input_poll_seconds, watch.pause_of("chains")),
                ("old chains", in_thread(chains.expire), RETENTION_SECONDS, wait),
                ("files", in_thread(batches.expire), RETENTION_SECONDS, wait),
                ("temporary media", library.expire, RETENTION_SECONDS, wait),
                ("reservations", in_thread(Budgets(db).correct_reservations), CORRECTION_SECONDS, wait),
                ("usage", in_thread(usage.record), ROLL_UP_SECONDS, wait),
                ("old usage", in_thread(usage.fold), FOLD_SECONDS, wait),
                ("sizes of uploads", in_thread(UploadSizes(settings, db, store).record), SIZES_SECONDS, wait),
                ("retention", in_thread(retention.forget_expired), RETENTION_SECONDS, wait),
                ("adoption", in_thread(Adoption(db).adopt), ADOPTION_SECONDS, wait),
                ("growth", in_thread(Growth(db).record), LOOK_SECONDS, wait),
                ("orphans", in_thread(retention.remove_orphans), ORPHANS_SECONDS, wait),
                ("forget-keys", in_thread(maintenance.forget_keys), KEYS_SECONDS, wait),
            ):
                loops.create_task(repeat(name, turn, seconds=seconds, stop=stop, sleep=sleep))
            bells = loops.create_task(hear_bells(settings, watch, stop))
            await stop.wait()
            bells.cancel()
            watch.end()
    finally:
        stopping = asyncio.create_task(asyncio.to_thread(backends.stop))
        await ingest.close()
        await library.close()
        await webhooks.close(min(settings.grace_seconds, settings.webhook_timeout))
        await stopping
        await async_db.dispose()
        backend_db.dispose()
        db.dispose()
        recovery_db.dispose()
        await asyncio.to_thread(stop_tracing)
        probe_files.remove()
        log.info("cpu worker: stopped")


def in_thread(work: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """Return `work` as a coroutine function that runs it in a thread of its own.

    The threads that asyncio shares are few on a machine of few cores, and each of those that wait for an object store
    would be missing to the others.
    """
    thread = ThreadPoolExecutor(1, work.__name__)
    return lambda: asyncio.get_running_loop().run_in_executor(thread, work)


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, stop)


if __name__ == "__main__":
    main()
