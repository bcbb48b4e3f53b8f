"""/estimates/v1: what a job would take and cost, before it is submitted."""

from typing import Any

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.estimates.estimator import Estimator
from api.http.auth import Caller, needs
from api.http.strict_json import BODY_ERRORS
from api.openapi.documents import error_responses
from api.submit.groups import as_documented
from api.submit.job_fields import params_of
from core.errors.access import NotEntitled
from core.errors.fields import (
    ForbiddenUrl,
    NoCapableModel,
    NoSuchProfile,
    NotSupportedYet,
    NotThisModel,
    NulInText,
    UnknownModel,
)
from core.errors.unavailable import NoModelAvailable
from core.errors.unknown import UnknownServer
from jobs.wire.estimates.estimate import EstimateAnswer


@post(
    "/estimates/v1",
    status_code=200,
    tags=("Jobs",),
    opt=needs("jobs", "read"),
    responses=error_responses(
        *BODY_ERRORS,
        *(NotEntitled, UnknownServer, NulInText, NotSupportedYet, UnknownModel, NotThisModel, NoSuchProfile),
        *(NoCapableModel, ForbiddenUrl, NoModelAvailable),
    ),
    summary="Estimate a job",
)
async def estimate(
    data: JSONBody[dict[str, Any]],
    caller: NamedDependency[Caller],
    estimator: NamedDependency[Estimator],
) -> EstimateAnswer:
    """Return how long a job would wait, load its model and run, and what it would cost; nothing is submitted.

    The fields are checked as those of a submit. `run` follows from the newest jobs of the model.
    """
    with as_documented():
        return await estimator.estimate(caller, params_of(data))
