"""A GPU worker: a Celery process whose only task is the doorbell, around a supervisor.

Celery brings the queues and the remote control; claims, leases and retries are the supervisor's, so that the worker
goes on without a broker. The pool has threads, because the task is over at once and nothing may fork.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from celery import Celery, Task, signals
from celery.apps import worker
from celery.worker import state
from celery.worker.consumer import Consumer

from core.database import threads_engine
from core.logs import start_logs
from core.metrics import GPU, PortTaken, expose
from core.sandbox.kernel import hide_memory
from core.settings import Settings, read_settings
from core.signals import deferred
from core.startup.settings_check import check_settings, settings_refused
from core.storage.store import open_store
from core.tracing import start_tracing
from jobs.doorbell import BELL, bell_queue, celery_app, model_queue, server_queue
from jobs.server_commands import node_name
from pipelines.catalog.licenses import read_allowed
from pipelines.catalog.loader import Catalog, load_catalog
from pipelines.weights.local_lock import read_locks
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import missing, servable, weights_folder
from workers.gpu.engine_maintenance import preloaded
from workers.gpu.server.lease import ServerIdTaken, check_name
from workers.gpu.server.offer import ServerOffer
from workers.gpu.server.queue_subscription import QueueSubscription
from workers.gpu.server.remote_control import handle
from workers.gpu.server.weights_watch import WeightsWatch
from workers.gpu.supervisor import Supervisor
from workers.ipc.child_process import ChildProcessDied

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
SUBSCRIBE_SECONDS = 5.0
"""How long a model that has come waits for its queue at most; without a broker its jobs are found by looking."""


def main(server_id: str | None = None, *, dedicated: bool = False, preload: Sequence[str] = ()) -> int:
    """Run a GPU worker until SIGTERM, and return the exit status; models in `preload` are added to the setting's."""
    hide_memory()
    with settings_refused("gpu worker"):
        settings = read_settings()
        check_settings(settings)
        catalog = load_catalog(settings.catalog)
        lock = read_locks(settings.weights_lock, weights_folder(settings.weights_dir), catalog)
    if server_id:
        settings = msgspec.structs.replace(settings, server_id=server_id)
    if preload:
        settings = msgspec.structs.replace(settings, preload=",".join([settings.preload, *preload]))
    start_logs(settings, "gpu")
    try:
        check_name(settings.server_id)
    except ValueError as error:
        log.error("%s", error)
        return 1
    models = _find_servable(settings, catalog, lock)
    if models is None:
        return 1
    queues = [server_queue(settings.server_id)]
    if not dedicated:
        queues += [model_queue(model) for model in models]
    subscription, stop_tracing = QueueSubscription(queues), start_tracing(settings, "atelier-gpu")
    offer = ServerOffer(catalog=catalog, models=models, dedicated=dedicated)
    supervisor = Supervisor(
        settings,
        offer,
        db=threads_engine(settings),
        store=open_store(settings),
        listen=subscription.set_active,
    )

    def subscribe(models: tuple[str, ...]) -> None:
        if not dedicated:
            subscription.add([model_queue(model) for model in models])
            subscription.await_applied(SUBSCRIBE_SECONDS)

    def serve_too(added: tuple[str, ...]) -> None:
        supervisor.refresh()
        supervisor.ring()

    watch = WeightsWatch(settings, offer, serve_too, subscribe=subscribe)
    watch.start()
    try:
        return serve(settings, supervisor, subscription)
    finally:
        watch.stop()
        stop_tracing()


def _find_servable(settings: Settings, catalog: Catalog, lock: Lock) -> tuple[str, ...] | None:
    """Return the ids of the models that can be served; None, and the reason is logged, when this worker cannot run."""
    weights, allowed = weights_folder(settings.weights_dir), read_allowed(settings.allowed_licenses)
    models = tuple(spec.id for spec in servable(catalog, lock, weights, allowed))
    for spec in catalog.models:
        if spec.id not in models:
            log.info("not served: %s", missing(spec, lock, weights, allowed))
    if not models:
        log.error("no model of the catalog can be served from %s; run `atelier doctor`", weights)
        return None
    unserved = [model for model in preloaded(settings) if model not in models]
    if unserved:
        log.error("ATELIER_PRELOAD or --preload: %s cannot be served here; run `atelier doctor`", ", ".join(unserved))
        return None
    return models


def serve(settings: Settings, supervisor: Supervisor, subscription: QueueSubscription) -> int:
    """Start the supervisor, listen to doorbells until a signal, hand back unfinished jobs; returns the exit status.

    It is 1 where the worker could not start, and where its device or one of its children has a defect.
    """
    for number in SIGNALS:
        signal.signal(number, _interrupt)  # until Celery starts
    try:
        expose(settings, GPU)
        supervisor.start()
        sys.setswitchinterval(0.0005)  # a bell must not wait 5 ms for a busy thread
        _listen(settings, supervisor, subscription)
    except (ServerIdTaken, PortTaken, ChildProcessDied) as error:
        log.error("%s", error)
        return 1
    except (KeyboardInterrupt, SystemExit):
        log.info("stopping")
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        supervisor.stop()
    return 1 if supervisor.defect else 0


def _listen(settings: Settings, supervisor: Supervisor, subscription: QueueSubscription) -> None:
    """Run Celery until SIGTERM or SIGINT."""
    for number in SIGNALS:
        signal.signal(number, _stop_celery)
    app = bell_app(settings, supervisor, subscription.queues)
    handle(supervisor)
    # With a receiver of this signal Celery leaves the root logger alone, whose level it would raise to its own.
    signals.setup_logging.connect(lambda **_: logging.getLogger("celery").setLevel(logging.WARNING), weak=False)
    worker.safe_say = lambda *_: None  # it writes to the descriptor, past the log; ours says that it is stopping
    drain = deferred(supervisor.drain, "drain")  # Celery sends this in its signal handler
    signals.worker_shutting_down.connect(lambda **_: drain(), weak=False)
    signals.worker_ready.connect(lambda sender, **_: subscription.attach(sender), weak=False)
    app.Worker(
        hostname=node_name(settings.server_id),
        pool="threads",
        concurrency=2,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    ).start()


def bell_app(settings: Settings, supervisor: Supervisor, queues: Sequence[str]) -> Celery:
    """Return the Celery application of a worker: the shared one, listening to these queues."""
    app = celery_app(
        settings,
        socket_connect_timeout=5,
        socket_timeout=2 * settings.broker_health_seconds,
        socket_keepalive=True,
        health_check_interval=settings.broker_health_seconds,
    )
    app.conf.update(
        task_queues=[bell_queue(name) for name in queues],
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        worker_enable_remote_control=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    app.register_task(BellTask(supervisor.ring))
    return app


class BellTask(Task):  # type: ignore[misc]
    """The task of the doorbell: rings in the thread that receives the message, without a trip through the pool."""

    name = BELL
    ignore_result = True

    def __init__(self, ring: Callable[[], None]) -> None:
        self.run = ring

    def start_strategy(self, app: Celery, consumer: Consumer, **kwargs: Any) -> Callable[..., None]:
        """Return what the consumer calls with each message."""
        return lambda *message: self.run()


def _interrupt(number: int, frame: object) -> None:
    # Not KeyboardInterrupt: raised through an `exec` of text, as Celery has one, it makes `python -m` end with SIGINT,
    # caught or not.
    raise SystemExit(0)


def _stop_celery(number: int, frame: object) -> None:
    # As Celery's own handler does, which takes this one's place once it is installed. An exception here could leave a
    # lock of the interrupted code behind, such as that of a log handler, and every thread that logs would wait for it.
    state.should_stop = os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
