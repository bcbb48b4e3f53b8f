"""Usage: what a tenant's jobs have taken and cost, as it is shown."""

import msgspec

from jobs.wire.values import UtcTime


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that ended in one step of time, of one tenant, key, model and server; null for what `by` leaves out.

    Money is in US dollars. The waits and times are those within which half of the jobs, and 95 % of them, were claimed
    and were done after that: upper bounds, read from counts of jobs by time; null without a job.
    """

    since: UtcTime
    tenant_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    server_id: str | None = None
    completed: int
    failed: int
    cancelled: int
    gpu_seconds: float
    load_seconds: float
    cost_usd: float
    credits: float
    wait_p50_seconds: float | None
    wait_p95_seconds: float | None
    run_p50_seconds: float | None
    run_p95_seconds: float | None


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Usage from `since` to `until`, the oldest first; steps without a job are left out."""

    since: UtcTime
    until: UtcTime
    usage: list[UsageRow]
