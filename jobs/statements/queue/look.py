"""Looking at jobs: callers' keys, their jobs and the jobs' forecasts in one statement, for polls and for followers.

A key that is revoked or has expired gives no row, nor does a session of the console that is over or whose key is not
valid. The id of another tenant's job, of a deleted one and of none at all
give the same row, without a job.
"""

from collections.abc import Sequence

import msgspec

from jobs.job import ACTIVE, Job
from jobs.statements.api_keys import ApiKey, is_valid, key_json
from jobs.statements.budget import BALANCE
from jobs.statements.query import DatabaseFunction, Query, text_array
from jobs.statements.queue.claim_function import PLANNING
from jobs.statements.queue.forecast import NAME, Forecast
from jobs.statements.table_function import set_options


class FollowedJob(msgspec.Struct, frozen=True):
    """A job, and the key on whose behalf it is followed."""

    job_id: str
    key_id: str


class JobView(msgspec.Struct, frozen=True):
    """A job as its owner sees it: the row and its forecast, of the same moment."""

    job: Job
    forecast: Forecast = Forecast()


class Glance(msgspec.Struct, frozen=True):
    """What a request asks: its key or session, by the digests that may be stored of it, and the job that it shows."""

    digests: tuple[str, ...]
    job_id: str | None = None


class Looked(msgspec.Struct, frozen=True):
    """A valid key, and the job that was looked at with it; None where its tenant has no such job."""

    key: ApiKey
    job: Job | None = None
    forecast: Forecast = Forecast()

    @property
    def view(self) -> JobView | None:
        """The job and its forecast, if there is one."""
        return None if self.job is None else JobView(self.job, self.forecast)


class LookedFirst(Looked, frozen=True, kw_only=True):
    """What a request finds; `place` is that of its question, from 1."""

    place: int


class LookedAgain(Looked, frozen=True, kw_only=True):
    """What a follower finds."""

    job_id: str


_UNFINISHED = ", ".join(f"'{status}'" for status in ACTIVE)
_JOB = f"""
    'key', {key_json("api_keys")},
    'job', CASE WHEN jobs.id IS NOT NULL THEN row_to_json(jobs) END,
    'forecast', json_build_object(
        'ahead', forecast.ahead, 'reason', forecast.reason, 'seconds', forecast.seconds, 'servers', forecast.servers,
        'balance', (SELECT {BALANCE} FROM tenants WHERE tenants.id = api_keys.tenant)
    )"""
# The forecast of a null job is none, and costs nothing.
_FORECAST = f"LEFT JOIN LATERAL {NAME}(CASE WHEN jobs.status IN ({_UNFINISHED}) THEN jobs END, $3) AS forecast ON true"
_OWN = "jobs.tenant = api_keys.tenant AND jobs.deleted_at IS NULL"
_OPTIONS = f"STABLE {set_options(PLANNING)}"

LOOK = DatabaseFunction(
    kind="look",
    arguments={"digests": "text[]", "job_ids": "text[]", "counted": "boolean"},
    body=f"""
    SELECT json_build_object('place', asked.place, {_JOB})::text
    FROM unnest($1, $2) WITH ORDINALITY AS asked (digests, job_id, place)
    JOIN api_keys ON api_keys.digest = ANY(string_to_array(asked.digests, ',')) AND {is_valid("api_keys")}
    LEFT JOIN jobs ON jobs.id = asked.job_id AND {_OWN}
    {_FORECAST}
    """,
    options=_OPTIONS,
)
LOOK_AGAIN = DatabaseFunction(
    kind="look_again",
    arguments={"job_ids": "text[]", "key_ids": "text[]", "counted": "boolean"},
    body=f"""
    SELECT json_build_object('job_id', asked.job_id, {_JOB})::text
    FROM unnest($1, $2) AS asked (job_id, key_id)
    JOIN api_keys ON api_keys.id = asked.key_id AND {is_valid("api_keys")}
    LEFT JOIN jobs ON jobs.id = asked.job_id AND {_OWN}
    {_FORECAST}
    """,
    options=_OPTIONS,
)
LOOK_SESSION = DatabaseFunction(
    kind="look_session",
    arguments=LOOK.arguments,
    body=f"""
    SELECT json_build_object('place', asked.place, {_JOB})::text
    FROM unnest($1, $2) WITH ORDINALITY AS asked (digests, job_id, place)
    JOIN console_sessions ON console_sessions.digest = ANY(string_to_array(asked.digests, ','))
        AND console_sessions.expires_at > now()
    JOIN api_keys ON api_keys.id = console_sessions.key_id AND {is_valid("api_keys")}
    LEFT JOIN jobs ON jobs.id = asked.job_id AND {_OWN}
    {_FORECAST}
    """,
    options=_OPTIONS,
)
_LOOK, _LOOK_AGAIN, _LOOK_SESSION = LOOK.call, LOOK_AGAIN.call, LOOK_SESSION.call


def look(asked: Sequence[Glance]) -> Query[LookedFirst]:
    """Return the keys that are valid, each with its tenant's job with the id of the question, if any."""
    return Query(_LOOK, _asked(asked), LookedFirst, reads=True)


def look_by_session(asked: Sequence[Glance]) -> Query[LookedFirst]:
    """Return the same as `look`, where the digests are those of sessions of the console."""
    return Query(_LOOK_SESSION, _asked(asked), LookedFirst, reads=True)


def look_again(followed: Sequence[FollowedJob], *, counted: bool) -> Query[LookedAgain]:
    """Return the jobs of followers whose key is still valid.

    `counted` says whether the jobs ahead of each are counted; `places` of this folder does that for many at once.
    """
    ids = text_array(one.job_id for one in followed), text_array(one.key_id for one in followed)
    return Query(_LOOK_AGAIN, (*ids, counted), LookedAgain, reads=True)


def _asked(asked: Sequence[Glance]) -> tuple[str, str, bool]:
    digests = text_array(",".join(glance.digests) for glance in asked)
    return digests, text_array(glance.job_id for glance in asked), True
