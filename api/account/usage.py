"""What a tenant's jobs have taken and cost, read from the roll-ups."""

import csv
import io
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row

from api.http.auth import Caller
from api.http.database import Database
from core.errors.access import NotEntitled
from core.errors.fields import OutOfRange
from core.metrics import WAIT_BUCKETS
from core.settings import Settings
from jobs.statements.api_keys import tenant_by_name
from jobs.statements.usage import KEPT_DAYS, usage_of
from jobs.wire.account.usage import UsageAnswer, UsageRow

Step = Literal["5m", "1h", "1d", "all"]
By = Literal["tenant", "key", "model", "server"]
SECONDS: dict[Step, int | None] = {"5m": 300, "1h": 3600, "1d": 86_400, "all": None}
DEFAULT_DAYS, MOST_ROWS = 30, 10_000
ALL = "*"
"""The name that stands for all tenants."""
TENANTS = "tenants:read"
"""The scope of a key that may see the usage of every tenant."""


class UsageReports:
    """Reports of usage. What ended in the last seconds may be missing."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._credit = settings.credit_usd

    async def report(
        self,
        caller: Caller,
        *,
        since: datetime | None,
        until: datetime | None,
        step: Step,
        by: Collection[By],
        tenant: str | None,
    ) -> UsageAnswer:
        """Return the usage of the caller's tenant, or of another or of all, which takes an operator.

        Raises `OutOfRange` for times that are in the wrong order, and for more rows than an answer may have, and
        `NotEntitled`.
        """
        until = datetime.now(UTC) if until is None else until.astimezone(UTC)
        since = until - timedelta(days=DEFAULT_DAYS) if since is None else since.astimezone(UTC)
        if since >= until:
            raise OutOfRange("`from` must be before `to`; correct one of them.", field="query.from")
        if until - since > timedelta(days=KEPT_DAYS):
            raise OutOfRange(f"A report covers {KEPT_DAYS} days at most; choose a later `from`.", field="query.from")
        owner = await self._owner(caller, tenant)
        rows = await self._database.rows(
            usage_of(owner, since=since, until=until, step=SECONDS[step], by=by, limit=MOST_ROWS + 1)
        )
        if len(rows) > MOST_ROWS:
            raise OutOfRange(
                f"This is more than {MOST_ROWS} rows; choose a longer `step`, a shorter time or less in `by`.",
                field="query.step",
            )
        return UsageAnswer(since=since, until=until, usage=[self._row(row, since) for row in rows])

    async def _owner(self, caller: Caller, tenant: str | None) -> str | None:
        """Return the id of the tenant whose usage is asked for; None for all."""
        row = None if tenant in (None, ALL) else await self._database.row(tenant_by_name(tenant or ""))
        owner = caller.tenant if tenant is None else None if tenant == ALL else "" if row is None else str(row.id)
        if owner != caller.tenant and not caller.may(TENANTS):
            raise NotEntitled(
                "The usage of other tenants is an operator's to see; leave `tenant` out.",
                needs=TENANTS,
                field="query.tenant",
            )
        return owner

    def _row(self, row: Row[Any], since: datetime) -> UsageRow:
        said = row._mapping
        return UsageRow(
            since=said.get("bucket", since),
            tenant_id=said.get("tenant"),
            key_id=said.get("key"),
            model=said.get("model"),
            server_id=said.get("server"),
            completed=row.completed,
            failed=row.failed,
            cancelled=row.cancelled,
            gpu_seconds=round(row.gpu_seconds, 3),
            load_seconds=round(row.load_seconds, 3),
            cost_usd=row.cost,
            credits=round(row.cost / self._credit, 6),
            wait_p50_seconds=percentile(row.wait, 0.5),
            wait_p95_seconds=percentile(row.wait, 0.95),
            run_p50_seconds=percentile(row.run, 0.5),
            run_p95_seconds=percentile(row.run, 0.95),
        )


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the bound of `WAIT_BUCKETS` within which this share of the counted is; None for none, or beyond the last.

    `counts` are those up to each bound, and above the last.
    """
    wanted, seen = share * sum(counts), 0
    for count, bound in zip(counts, WAIT_BUCKETS, strict=False):
        seen += count
        if seen and seen >= wanted:
            return bound
    return None


def as_csv(answer: UsageAnswer) -> str:
    """Return the rows as CSV, with the names of the fields above them."""
    text = io.StringIO()
    names = UsageRow.__struct_fields__
    writer = csv.writer(text)
    writer.writerow(names)
    for row in answer.usage:
        values = (getattr(row, name) for name in names)
        writer.writerow(value.isoformat() if isinstance(value, datetime) else value for value in values)
    return text.getvalue()
