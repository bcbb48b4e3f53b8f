"""What the service cannot do now."""

from core.errors.base import AtelierError


class Unavailable(AtelierError):
    """A request that the service cannot carry out now; nothing was accepted."""

    code, status = "unavailable", 503


class DatabaseUnavailable(Unavailable):
    """A database that does not answer."""

    code = "database_unavailable"
    advice = "The database does not answer, and nothing was accepted; try again in a few seconds."


class SchemaBehind(Unavailable):
    """A database whose schema is older than this code."""

    code = "schema_behind"
    advice = "The database's schema is older than this version of the service; run `atelier migrate`."


class StorageUnavailable(Unavailable):
    """An object store that does not answer, refuses, or is full (`full`: waiting does not help).

    `reason` is one word for operators: the store's own code, such as `NoSuchBucket`, or `unreachable`.
    """

    code = "storage_unavailable"
    advice = "The object store does not accept data; try again later."

    def __init__(self, detail: str | None = None, *, full: bool = False, reason: str = "unreachable") -> None:
        super().__init__(detail)
        self.full = full
        self.reason = reason


class BrokerUnavailable(Unavailable):
    """A command that did not reach its server, or whose answer did not come back."""

    code = "broker_unavailable"
    advice = "The broker does not answer, so the command did not reach the server; try again in a few seconds."


class TooManyConnections(Unavailable):
    """A connection beyond the limit, while every open one is in use."""

    code = "too_many_connections"
    advice = "Too many connections are open; close some, or try again in a few seconds."


class Overloaded(Unavailable):
    """A large body while the process holds as many as it may."""

    code = "overloaded"
    advice = (
        "Too many large bodies arrive at the moment; try again in a few seconds, or upload files with POST /inputs/v1."
    )


class NoModelAvailable(Unavailable):
    """A modality without a model on any running server."""

    code = "no_model_available"
    advice = "No running server serves this modality; start a GPU worker, or name a model to wait for it."


class SampleUnavailable(Unavailable):
    """A sample of a voice that is not made yet, or could not be made."""

    code = "sample_unavailable"
    advice = "The sample of this voice is not made yet; ask for it again in a minute."


class VectorUnavailable(Unavailable):
    """A search by a vector that was not made in time, or could not be made."""

    code = "vector_unavailable"
    advice = "The vector of this search was not made in time; try again in a minute, or search with `q`."
