"""The claim against its order, written once more in Python: random small queues, claimed until nothing is left."""

from datetime import timedelta

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from jobs.schema.tables import jobs, servers, tenants

ME, BOUND = "gpu-1", 60.0
TENANTS = ("ten_a", "ten_b", "ten_c")
MODELS = ("one", "two", "three")
MINUTES = st.integers(-5, 3).filter(bool)


class Waiting(msgspec.Struct, frozen=True):
    """A waiting job; times are minutes from now, and `number` is its place in the order of submit."""

    number: int
    tenant: str
    model: str
    priority: int
    begun: bool
    available: int
    server: str | None
    spill: int | None
    expired: bool

    @property
    def id(self):
        return f"job_{99 - self.number}"  # sorted by id, the last to be submitted would be first

    @property
    def since(self):
        """From when I may take it; never, when that is infinite."""
        elsewhere = float("inf") if self.spill is None else max(self.available, self.spill)
        return self.available if self.server in (None, ME) else elsewhere


@st.composite
def queues(draw):
    """Waiting jobs, and for every tenant its cap and the minutes since its running jobs began."""
    one = st.tuples(
        st.sampled_from(TENANTS),
        st.sampled_from(MODELS),
        st.integers(4, 6),
        st.booleans(),
        MINUTES,
        st.sampled_from([None, None, ME, "gpu-2"]),
        st.none() | MINUTES,
        st.sampled_from([False, False, False, True]),
    )
    waiting = [Waiting(number, *facts) for number, facts in enumerate(draw(st.lists(one, min_size=1, max_size=14)))]
    waiting = [job if job.server else msgspec.structs.replace(job, spill=None) for job in waiting]
    caps = {tenant: draw(st.none() | st.integers(1, 3)) for tenant in TENANTS}
    running = {tenant: draw(st.lists(st.integers(1, 99), max_size=2)) for tenant in TENANTS}
    return waiting, caps, running


def expected(waiting, caps, running, resident, stayed):
    """Ids in the order of the claim, none of which ends."""
    waiting, clock, taken = list(waiting), 0, []
    counts = {tenant: len(began) for tenant, began in running.items()}
    served = {tenant: -min(began, default=10**6) for tenant, began in running.items()}
    while True:
        others = {job.model for job in waiting if job.since <= 0} - set(resident)
        stays = stayed < BOUND / max(1, len(others))
        able = [job for job in waiting if job.since <= 0 and not job.expired]
        able = [job for job in able if caps[job.tenant] is None or counts[job.tenant] < caps[job.tenant]]
        if not able:
            return taken
        best = min(
            able,
            key=lambda job: (
                -job.priority,
                not (stays and job.model in resident),
                counts[job.tenant],
                served[job.tenant],
                job.tenant,
                not job.begun,
                job.since,
                job.number,
            ),
        )
        clock += 1
        taken.append(best.id)
        waiting.remove(best)
        counts[best.tenant] += 1
        served[best.tenant] = clock
        if best.model not in resident:
            stayed = 0


def fill(rows, waiting, caps, running):
    """Write all that into the tables, as of the database's time."""
    now = rows.scalar(select(func.now()))
    common = {"modality": "image", "params": {}, "max_attempts": 3, "deadline_at": now + timedelta(days=1)}
    with rows.engine.begin() as connection:
        for number, tenant in enumerate(TENANTS):
            made = {"id": tenant, "name": tenant, "created_at": now + timedelta(seconds=number)}
            connection.execute(tenants.insert().values(**made, max_running_jobs=caps[tenant]))
            for began in running[tenant]:
                busy = {"id": f"{tenant}_{began}_{number}", "tenant": tenant, "model": "one", "status": "processing"}
                busy |= {"priority": 5, "started_at": now - timedelta(minutes=began)}
                busy["id"] += f"_{connection.scalar(select(func.count()).select_from(jobs))}"
                connection.execute(jobs.insert().values(**common | busy))
        for job in waiting:
            row = {name: getattr(job, name) for name in ("id", "tenant", "model", "priority")}
            row |= {"status": "queued", "fence": int(job.begun), "server_id": job.server}
            row["available_at"] = now + timedelta(minutes=job.available)
            if job.spill is not None:
                row["spill_at"] = now + timedelta(minutes=job.spill)
            if job.expired:
                row["deadline_at"] = now - timedelta(seconds=1)
            connection.execute(jobs.insert().values(**common | row))


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(queues(), st.sets(st.sampled_from(MODELS), max_size=2), st.sampled_from([0, 25, 35, 59, 61]))
def test_the_claim_follows_its_order(module_rows, empty, queue, resident, stayed):
    waiting, caps, running = queue
    empty()
    fill(module_rows, waiting, caps, running)
    claimant = module_rows.server(ME, serves=MODELS, resident=tuple(sorted(resident)))
    module_rows.execute(update(servers).values(loaded_at=func.now() - timedelta(seconds=stayed)))
    taken = []
    while (job := module_rows.claim(claimant)) is not None:
        taken.append(job.id)
    assert expected(waiting, caps, running, resident, stayed) == taken
