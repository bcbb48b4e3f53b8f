"""The forecast of a job, in a function of the database: its place, what it waits for, how long jobs like it take.

A function's plans are kept by each connection, through any PgBouncer, so a status poll does not plan them anew. They
are made as those of the claim (`claim_function`): maybe while the tables are empty, and good for millions of rows.
"""

import re

import msgspec

from jobs.statements.queue.claim_function import PLANNING
from jobs.statements.queue.position import POSITION_LIMIT, position_text
from jobs.statements.table_function import define, set_options
from jobs.wire.wait_reasons import Reason

_VALUES = {
    "priority": "job.priority",
    "tenant": "job.tenant",
    "model": "job.model",
    "server": "job.server_id",
    "begun": "least(job.fence, 1)",
    "since": "greatest(job.available_at, job.spill_at)",
    "seq": "job.seq",
    "limit": str(POSITION_LIMIT),
}


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's row does not say. All is None where it does not apply, and while the database is away.

    `ahead` is the number of jobs that go before a queued one, counted to `POSITION_LIMIT`. `reason` is what a waiting
    job waits for: `server_busy` says that no server that may run it is idle, whatever is ahead. `seconds` is what one
    job of its model takes, `servers` the number of live servers that serve it, `balance` the tenant's US dollars left.
    """

    ahead: int | None = None
    reason: Reason | None = None
    seconds: float | None = None
    servers: int | None = None
    balance: float | None = None


def _in_function(query: str) -> str:
    """Return a query whose parameters are those of the function."""
    return re.sub(r"(?<!:):(\w+)", lambda found: _VALUES[found[1]], re.sub(r" +\n", "\n", query))


_BODY = f"""
DECLARE
    bound boolean := job.server_id IS NOT NULL AND (job.spill_at IS NULL OR job.spill_at > now());
    fleet record;
BEGIN
    IF job.status NOT IN ('pending', 'queued', 'processing') THEN
        RETURN;
    END IF;

    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY recent.took) INTO seconds
    FROM (
        SELECT extract(epoch FROM finished_at - started_at) AS took FROM jobs
        WHERE jobs.model = job.model AND status = 'completed' ORDER BY finished_at DESC LIMIT 20
    ) AS recent;

    SELECT
        count(*) FILTER (WHERE serving) AS serving,
        coalesce(bool_or(asked), false) AS online,
        coalesce(bool_or(able), false) AS able,
        coalesce(bool_or(able AND desired = 'active'), false) AS taking,
        coalesce(bool_or(able AND desired = 'active' AND state <> 'store_away'), false) AS storing,
        coalesce(bool_or(able AND desired = 'active' AND current_job IS NULL), false) AS idle
    INTO fleet
    FROM (
        SELECT desired, state, current_job, server_id = job.server_id AS asked, job.model = ANY(serves) AS serving,
            job.model = ANY(serves)
                AND CASE WHEN bound THEN server_id = job.server_id
                    ELSE NOT dedicated OR coalesce(server_id = job.server_id, false) END AS able
        FROM servers AS server WHERE lease_until > now()
            AND (backend IS NULL OR NOT (SELECT local_only FROM tenants WHERE id = job.tenant))
    ) AS alive;
    servers := fleet.serving;

    IF job.status = 'processing' THEN
        RETURN;
    END IF;
    reason := CASE
        WHEN job.status = 'pending' AND fleet.serving > 0 THEN '{Reason.INPUTS}'
        WHEN job.status = 'pending' THEN '{Reason.NO_SERVER_FOR_MODEL}'
        WHEN job.available_at > now() THEN '{Reason.BACKOFF}'
        WHEN bound AND NOT fleet.online THEN '{Reason.SERVER_OFFLINE}'
        WHEN NOT fleet.able THEN '{Reason.NO_SERVER_FOR_MODEL}'
        WHEN NOT fleet.taking THEN '{Reason.SERVER_CORDONED}'
        WHEN NOT fleet.storing THEN '{Reason.STORE_AWAY}'
        WHEN (SELECT paused_at IS NOT NULL FROM tenants WHERE id = job.tenant) THEN '{Reason.TENANT_PAUSED}'
        WHEN (
            SELECT max_running_jobs <= (SELECT count(*) FROM jobs WHERE tenant = job.tenant AND status = 'processing')
            FROM tenants WHERE id = job.tenant
        ) THEN '{Reason.TENANT_RUNNING_CAP}'
        WHEN NOT fleet.idle THEN '{Reason.SERVER_BUSY}'
        ELSE '{Reason.QUEUE}'
    END;

    IF job.status = 'pending' OR NOT counted THEN
        RETURN;
    END IF;
    IF job.server_id IS NULL OR job.spill_at IS NOT NULL THEN
        ahead := ({_in_function(position_text(strict=False))});
    ELSE
        ahead := ({_in_function(position_text(strict=True))});
    END IF;
END
"""

_ARGUMENTS = "job jobs, counted boolean"
_RESULTS = "OUT ahead integer, OUT reason text, OUT seconds double precision, OUT servers integer"
_OPTIONS = f"LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE {set_options(PLANNING)}"
NAME, DEFINITION = define("forecast", f"({_ARGUMENTS}, {_RESULTS}) {_OPTIONS} AS $function${_BODY}$function$")
"""Its name and the SQL that makes it."""
