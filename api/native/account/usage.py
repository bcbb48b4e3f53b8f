"""/usage/v1: what jobs have taken and cost."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import QueryParameter

from api.account.usage import By, Step, UsageReports, as_csv
from api.http.auth import Caller, needs
from api.http.pagination import require_zone
from api.openapi.documents import error_responses
from core.errors.access import NotEntitled
from core.errors.fields import InvalidRequest, NulInText, OutOfRange
from jobs.wire.account.usage import UsageAnswer

From = Annotated[
    datetime | None, QueryParameter(name="from", description="The beginning, with its zone; 30 days before `to`.")
]
To = Annotated[datetime | None, QueryParameter(name="to", description="The end, with its zone; now.")]
StepOfTime = Annotated[
    Step, QueryParameter(description="The length of a row; `all` is the whole time. After 14 days, `5m` is `1h`.")
]
TellApart = Annotated[
    list[By] | None, QueryParameter(name="by", description="What has rows of its own; may be there several times.")
]
Format = Annotated[Literal["json", "csv"], QueryParameter(description="The form of the answer.")]
TenantName = Annotated[
    str | None,
    QueryParameter(name="tenant", max_length=200, description="The name of a tenant, or `*`: for operators."),
]


@get(
    "/usage/v1",
    tags=("Account",),
    opt=needs("usage"),
    responses={200: ResponseSpec(UsageAnswer, generate_examples=False, description="Usage; with `format=csv` as CSV.")}
    | error_responses(InvalidRequest, NulInText, OutOfRange, NotEntitled),
    summary="Usage",
)
async def usage(
    caller: NamedDependency[Caller],
    usage_reports: NamedDependency[UsageReports],
    since: From = None,
    until: To = None,
    step: StepOfTime = "1d",
    by: TellApart = None,
    tenant: TenantName = None,
    format: Format = "json",
) -> Response[UsageAnswer | str]:
    """Return jobs, GPU seconds and cost by time, and by key, model, server or tenant.

    It is read from sums of ended jobs, which are a few seconds behind. They stay when jobs are deleted.
    """
    if tenant is not None and "\0" in tenant:
        raise NulInText(field="query.tenant")
    require_zone(since, "from")
    require_zone(until, "to")
    answer = await usage_reports.report(caller, since=since, until=until, step=step, by=by or (), tenant=tenant)
    if format == "json":
        return Response(answer)
    headers = {"Content-Disposition": 'attachment; filename="usage.csv"'}
    return Response(as_csv(answer), media_type="text/csv", headers=headers)
