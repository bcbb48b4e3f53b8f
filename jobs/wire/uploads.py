"""The answer to a request for an upload link."""

from datetime import datetime
from typing import Literal

import msgspec


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Send the file as the body of a `method` request to `upload_url`, with `headers`, before `expires_at`; then name
    `input_id` wherever a job takes a URL. `max_bytes` is the most an input may have.
    """

    input_id: str
    upload_url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str] = {}
    expires_at: datetime
    max_bytes: int
