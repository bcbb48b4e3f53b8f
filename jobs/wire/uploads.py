"""The answer to a request for an upload link."""

from typing import Literal

import msgspec

from jobs.wire.values import UtcTime


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A link for an upload.

    Send the file as the body of a `method` request to `upload_url`, with `headers`, before `expires_at`. Then use
    `input_id` in any field that takes a URL. `max_bytes` is the largest size of an input.
    """

    input_id: str
    upload_url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = {}
    expires_at: UtcTime
    max_bytes: int
