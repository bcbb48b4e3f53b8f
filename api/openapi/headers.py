"""The headers of the answers, as the OpenAPI document has them."""

from typing import NamedTuple

from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, Operation
from litestar.openapi.spec.enums import OpenAPIType
from litestar.openapi.spec.schema import Schema

TEXT, NUMBER = OpenAPIType.STRING, OpenAPIType.INTEGER


class Header(NamedTuple):
    """A header of some answers: what it says, and its type."""

    name: str
    description: str
    type: OpenAPIType = TEXT


REQUEST_ID = Header("X-Request-Id", "The `X-Request-Id` that you sent, or a new one; it is in the log.")
RETRY_AFTER = Header("Retry-After", "Seconds after which it is worth to ask again.", NUMBER)
AUTHENTICATE = Header("WWW-Authenticate", "`Bearer`.")
LOCATION = Header("Location", "The link of the object store, or the path of the job's status.")
REPLAYED = Header("Idempotency-Replayed", "`true` where an earlier request with the same Idempotency-Key made the job.")
LIMITS = (
    Header("X-RateLimit-Limit", "Requests that your key may send at once. Only where a rate limit is set.", NUMBER),
    Header("X-RateLimit-Remaining", "Requests that are left of them.", NUMBER),
    Header("X-RateLimit-Reset", "Seconds until all of them are free again.", NUMBER),
)
FILE = (
    Header("ETag", "The version of the object, for `If-None-Match` and `If-Range`."),
    Header("Accept-Ranges", "`bytes`."),
    Header("Content-Disposition", "`inline`, and the file's name."),
)
CONTENT_RANGE = Header("Content-Range", "Which part it is, and of how many bytes.")


def add_headers(path: str, operation: Operation) -> None:
    """Add to each answer of an operation the headers that it may have."""
    for status, response in (operation.responses or {}).items():
        if isinstance(response, OpenAPIResponse):
            response.headers = response.headers or {}
            for header in _headers(path, status, public=operation.security == [{}]):
                response.headers[header.name] = OpenAPIHeader(
                    description=header.description, schema=Schema(type=header.type)
                )


def _headers(path: str, status: str, *, public: bool) -> list[Header]:
    found = [REQUEST_ID]
    if status in ("429", "503"):
        found.append(RETRY_AFTER)
    if status == "401":
        found.append(AUTHENTICATE)
    if not public and (status < "300" or status == "429"):
        found += LIMITS
    if path.startswith("/generate") and "{" not in path and status < "300":
        found += (LOCATION, REPLAYED)
    if status == "302":
        found.append(LOCATION)
    if path.startswith("/files") and status in ("200", "206", "304"):
        found += FILE
    if path.startswith("/files") and status in ("206", "416"):
        found.append(CONTENT_RANGE)
    return found
