"""What the jobs of one worker share, put together."""

from collections.abc import Callable

from sqlalchemy import Engine

from core.settings import Settings
from core.storage.store import Store
from workers.gpu.job.canceller import JobCanceller
from workers.gpu.job.job_store import JobStore
from workers.gpu.job.pipeline import JobServices
from workers.gpu.job.progress_writer import ProgressWriter
from workers.gpu.job.slots import JobSlots
from workers.gpu.telemetry import Telemetry
from workers.ipc.child_process import ChildProcess
from workers.piece_relay import PieceRelay
from workers.preview_relay import PreviewRelay
from workers.scratch import Scratch
from workers.store_watch import StoreWatch


def build_services(
    settings: Settings,
    db: Engine,
    store: Store,
    telemetry: Telemetry,
    *,
    on_device_free: Callable[[], None],
    on_store_change: Callable[[], None],
) -> JobServices:
    """Return the services; no process is started.

    `on_device_free` is called whenever a job leaves the device, `on_store_change` when the store goes away and when it
    is back.
    """
    engine = ChildProcess("workers.engine.engine", on_answer=telemetry.record_inventory, on_loss=telemetry.record_loss)
    slots, job_store = JobSlots(on_device_free), JobStore(db, settings)
    canceller = JobCanceller(engine, slots)
    return JobServices(
        settings=settings,
        job_store=job_store,
        store=store,
        store_watch=StoreWatch(store, on_store_change),
        scratch=Scratch(settings),
        engine=engine,
        encoder=ChildProcess("workers.engine.encoder"),
        slots=slots,
        canceller=canceller,
        progress=ProgressWriter(job_store, settings.progress_seconds),
        previews=PreviewRelay.connect(settings, engine.ask_preview),
        pieces=PieceRelay.connect(settings),
    )
