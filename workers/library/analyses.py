"""Analyses: jobs of the service's own that find out about items of the library, one after the other.

A turn is about one item. Its job has ended: the answer goes to the row. Then the next kind gets a job, if a served
model can do it. The row and the job of a turn are one transaction, so a worker that is killed leaves nothing half done,
and a kind is tried once. The jobs are ordinary ones of the tenant in the lowest priority, which cost nothing; their
outputs are no items (`jobs.params.requests.origin.LIBRARY`), and are removed once they are read.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Engine, Row
from sqlalchemy.exc import DBAPIError

from core.database import autocommitted, state_of
from core.errors.inputs import InputUnreadable, UnsupportedMedia
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.ids import new_id
from core.metrics import UPKEEP
from core.settings import Settings
from core.storage.store import Store
from jobs.job import Job, JobStatus, job_from_row
from jobs.media import Media, media_from_row
from jobs.notify import JobNotifier
from jobs.params.media import media_of
from jobs.params.registry import AnyParams
from jobs.params.requests.origin import LIBRARY, Origin
from jobs.statements.budget import SPENT
from jobs.statements.media import analyses, input_removal
from jobs.statements.queue.submit import InputSource, Offer, add_inputs, new_job, served_models, submit
from jobs.statements.queue.tenant_jobs import erase, visible
from jobs.wire.dialects.videogen_events import ANALYZED, NOT_ANALYZED
from pipelines.catalog.input_files import file_rules
from pipelines.catalog.loader import ModelSpec, load_catalog
from pipelines.catalog.requirements import supports
from workers.library.analysis_kinds import AnalysisKind, chosen_kinds, picture_key

log = logging.getLogger(__name__)

LEASE_SECONDS = 120.0
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds between two looks at an item whose job runs: a tenth of the time since its submit, within these bounds."""
LATER_SECONDS = 600.0
"""How soon it is looked again whether a model is served, or the tenant has a budget; or after the item's age."""
LEFT_SECONDS = 3600.0
"""When the output of a job counts as left behind."""
NOTHING = (InputUnreadable.code, UnsupportedMedia.code)
"""Why a job fails about an item that has nothing of its kind, as a film without sound."""

EVENTS: dict[str, tuple[str]] = {"done": (ANALYZED,), "failed": (NOT_ANALYZED,)}
"""The event of an item after its last job, by `Media.analysis`."""


class AnalysisWork:
    """The tasks. Both return whether more of the same is waiting; neither is called twice at once."""

    def __init__(self, settings: Settings, db: Engine, store: Store) -> None:
        self._settings = settings
        self._db = db
        self._single = autocommitted(db)
        self._store = store
        self._kinds = chosen_kinds(settings.library_analyses)
        self._catalog = load_catalog(settings.catalog)
        self._notifier = JobNotifier.connect(settings)

    def advance(self) -> bool:
        """Take a turn at an item that is due; return whether one was."""
        if not self._kinds:
            return False
        with self._single.connect() as connection:
            row = connection.execute(analyses.take_item(lease_seconds=LEASE_SECONDS)).first()
        if row is None:
            return False
        try:
            self._turn(row)
        except StorageUnavailable as error:
            log.warning("analysis: the store does not answer media=%s reason=%s", row.id, error)
        return True

    def remove_left(self) -> bool:
        """Remove the outputs of jobs that nothing asks for any more; return whether there may be more."""
        with self._single.connect() as connection:
            left = connection.execute(analyses.left_jobs(LEFT_SECONDS)).all()
        for row in left:
            self._erase(row.id, row.tenant)
        return len(left) >= analyses.BATCH

    def _turn(self, row: Row[Any]) -> None:
        item, job = media_from_row(row), self._job_of(row)
        if job is not None and not job.status.terminal:
            age = (datetime.now(UTC) - job.created_at).total_seconds()
            self._execute(analyses.look_later(item.id, min(max(age / 10, SHORTEST), LONGEST)))
            return
        values = self._found(item, row.analyzed[-1], job) if job is not None else {}
        shown = {name: value for name, value in values.items() if name in Media.__struct_fields__}
        item = msgspec.structs.replace(item, analysis_job=None, **shown)
        begun = self._next(item, row.analyzed)
        events = EVENTS.get(item.analysis, ()) if job is not None and begun.spec is None else ()
        try:
            made = self._record(row, values, begun, events)
        except DBAPIError as error:
            if state_of(error) != SPENT:
                raise
            self._execute(analyses.look_later(item.id, LATER_SECONDS))
            return
        if made is not None:
            self._notifier.notify(made)
        if job is not None and _is_done_with(job):
            self._erase(job.id, job.tenant)

    def _job_of(self, row: Row[Any]) -> Job | None:
        """Return the item's job as it is now; None without one, or once it was deleted."""
        if row.analysis_job is None:
            return None
        with self._single.connect() as connection:
            found = connection.execute(visible(row.analysis_job, row.tenant)).first()
        return None if found is None else job_from_row(found)

    def _found(self, item: Media, name: str, job: Job) -> dict[str, Any]:
        """Return the columns that an ended job fills; none where it has failed, or its answer cannot be read."""
        kind = next((kind for kind in self._kinds if kind.name == name), None)
        if job.status is not JobStatus.COMPLETED or not job.artifacts or kind is None:
            log.info("analysis: nothing found media=%s kind=%s job=%s status=%s", item.id, name, job.id, job.status)
            return {}
        try:
            answer = job.artifacts[0]
            values = kind.columns(self._store.head(answer.key, answer.bytes), job)
        except (UnknownOutput, msgspec.MsgspecError, ValueError) as error:
            log.warning("analysis: no answer media=%s kind=%s job=%s reason=%s", item.id, name, job.id, error)
            return {}
        UPKEEP.labels("analyses").inc()
        return values

    def _next(self, item: Media, analyzed: Collection[str]) -> "_Next":
        """Return the next kind with the job for it; without one, whether an item waits for a model to be served."""
        waits = False
        with self._single.connect() as connection:
            served = set(connection.execute(served_models(item.tenant)).scalars())
        for kind in self._kinds:
            requests = kind.requests(item) if kind.name not in analyzed else ()
            for params in requests:
                spec = self._choose(kind, params, served)
                if spec is not None:
                    return _Next(kind=kind.name, params=params, spec=spec, sources=_sources_of(item, params, spec))
            waits = waits or bool(requests)
        return _Next(seconds=self._later(item) if waits else None)

    def _choose(self, kind: AnalysisKind, params: AnyParams, served: Collection[str]) -> ModelSpec | None:
        tag: Any = type(params).__struct_config__.tag
        able = [spec for spec in self._catalog.of(tag) if spec.id in served and supports(spec, params)]
        able.sort(key=lambda spec: kind.prefers not in spec.capabilities)
        return able[0] if able else None

    def _later(self, item: Media) -> float:
        """Return when to look again: the older an item, the more seldom."""
        return max(LATER_SECONDS, (datetime.now(UTC) - item.created_at).total_seconds())

    def _record(self, row: Row[Any], values: dict[str, Any], begun: "_Next", events: Sequence[str]) -> Job | None:
        """Write what was found, and add the next job; None without one, or where the item has changed meanwhile."""
        job_id = None if begun.spec is None else new_id("job")
        analyzed = [*row.analyzed, *filter(None, [begun.kind])]
        with self._db.begin() as connection:
            recorded = analyses.record(
                row, values, analyzed=analyzed, job_id=job_id, seconds=begun.seconds, events=events
            )
            if connection.execute(recorded).first() is None or begun.spec is None or begun.params is None:
                return None
            added = new_job(
                job_id=job_id or "",
                tenant=row.tenant,
                offers=[Offer(begun.spec.id)],
                params=begun.params,
                seed=0 if hasattr(begun.params, "seed") else None,
                max_attempts=self._settings.max_attempts,
                deadline_seconds=self._settings.deadline_seconds,
                origin=Origin(dialect=LIBRARY),
            )
            job = job_from_row(connection.execute(submit(added)).one())
            if begun.sources:
                connection.execute(add_inputs(job.id, row.tenant, begun.sources))
        return job

    def _erase(self, job_id: str, tenant: str) -> None:
        with self._db.begin() as connection:
            connection.execute(erase(job_id, tenant))
            connection.execute(input_removal.forget(job_id))

    def _execute(self, statement: Any) -> None:
        with self._single.connect() as connection:
            connection.execute(statement)


class _Next(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about an item: a job, or a look in so many `seconds`, or nothing more."""

    kind: str | None = None
    params: AnyParams | None = None
    spec: ModelSpec | None = None
    sources: Sequence[InputSource] = ()
    seconds: float | None = SHORTEST


def _sources_of(item: Media, params: AnyParams, spec: ModelSpec) -> list[InputSource]:
    """Return the item's file, or a picture of it, as the inputs of a job."""
    return [
        InputSource(
            name=medium.name,
            kind=medium.kind,
            source_key=picture_key(item) if medium.kind == "image" else item.key,
            **msgspec.structs.asdict(file_rules(spec, medium.name, medium.kind)),
        )
        for medium in media_of(params)
    ]


def _is_done_with(job: Job) -> bool:
    """Return whether the job can go: a failure that says something about the service stays for its owner to see."""
    return job.status is JobStatus.COMPLETED or (job.error is not None and job.error.code in NOTHING)
