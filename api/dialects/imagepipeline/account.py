"""What a key may do, and the schema of callbacks."""

from typing import Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency

from api.dialects.imagepipeline.operations import OPERATIONS
from api.http.auth import ANY_KEY, Caller
from api.http.database import Database
from jobs.statements.queue.submit import served_models
from jobs.statements.queue.tenant_jobs import balance
from jobs.wire.dialects.imagepipeline import ImagePipelineCallback
from pipelines.catalog.loader import Catalog

PLAN = "self-hosted"


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The account of a key: `balance_remaining_usd` is null without a budget.

    `allowed_operations` are the calls that the models which are served now can do.
    """

    user_id: str
    plan: str
    balance_remaining_usd: float | None
    allowed_operations: list[str]


class AccountRoutes(Controller):
    """Routes about the account and about callbacks."""

    opt = ANY_KEY

    @get("/v1/user/details")
    async def details(
        self, caller: NamedDependency[Caller], database: NamedDependency[Database], catalog: NamedDependency[Catalog]
    ) -> AccountAnswer:
        """Return the account."""
        left = await database.row(balance(caller.tenant, caller.key_id))
        served = {row[0] for row in await database.rows(served_models())}
        specs = [spec for spec in catalog.models if spec.id in served]
        return AccountAnswer(
            user_id=caller.tenant,
            plan=PLAN,
            balance_remaining_usd=left[0] if left else None,
            allowed_operations=[one.endpoint for one in OPERATIONS if one.needs.is_met(specs)],
        )

    @get("/webhooks/event-schema")
    async def event_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a callback's body."""
        return msgspec.json.schema(ImagePipelineCallback)
