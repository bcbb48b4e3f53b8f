"""The answers to an upload: a link to send the file to, or what was stored of the request's body."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jobs.wire.values import UtcTime

InputId = Annotated[str, Meta(description="Use it in any field that takes a URL of media.")]
MaxBytes = Annotated[int, Meta(description="The largest size of an input, in bytes.")]


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A link for an upload, whose file is still to be sent.

    Send the file as the body of a `method` request to `upload_url`, with `headers`, before `expires_at`. Then use
    `input_id` in any field that takes a URL.
    """

    input_id: InputId
    uploaded: Annotated[bool, Meta(description="Whether the file is there: false, it is still to be sent.")] = False
    upload_url: Annotated[str, Meta(description="Where to send the file; the link needs no key.")]
    method: Annotated[Literal["PUT"], Meta(description="How to send it.")] = "PUT"
    headers: Annotated[dict[str, str], Meta(description="Headers to send with it.")] = {}
    expires_at: Annotated[UtcTime, Meta(description="When the link ends, in UTC.")]
    max_bytes: MaxBytes


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with the request and is stored."""

    input_id: InputId
    uploaded: Annotated[bool, Meta(description="Whether the file is there: true.")] = True
    media_type: Annotated[str, Meta(description="Its media type, judged by its content.")]
    bytes: Annotated[int, Meta(description="Its size.")]
    max_bytes: MaxBytes
