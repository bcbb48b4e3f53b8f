"""Routers, and injection of the API's shared objects into their handlers, by the names of their parameters."""

from typing import Any, Self

import litestar
from litestar.di import Provide

from api.http.auth import Caller, shown_job
from api.http.strict_json import StrictRequest
from jobs.statements.queue.look import JobView


class Router(litestar.Router):
    """A router that is registered once, as it is.

    Litestar registers a copy with copies of all handlers, at each level again, which is a third of an API's start.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def provide(**shared: Any) -> dict[str, Provide]:
    """Return a provider of each object, under its name."""
    return {name: _provider(value) for name, value in shared.items()}


def provide_caller() -> Provide:
    """Return the provider of the caller that the request's key stands for."""
    return Provide(_caller, sync_to_thread=False)


def provide_job_view() -> Provide:
    """Return the provider of the job that a route with `SHOWS_JOB` shows."""
    return Provide(_job_view, sync_to_thread=False)


def _provider(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


def _caller(request: StrictRequest) -> Caller:
    return request.user


def _job_view(request: StrictRequest) -> JobView:
    return shown_job(request)
