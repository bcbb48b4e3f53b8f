"""What is shown beside the JSON of an answer: small pictures themselves, and links to everything."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence

from mcp_types import ContentBlock, ImageContent, ResourceLink

from api.dialects.mcp.schema import GenerationOutput
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.storage.store import Store
from jobs.job import Artifact

MOST_BASE64 = 600_000
"""Characters of all pictures of an answer: the clients give up an event of more than a megabyte."""


async def output_blocks(
    artifacts: Sequence[Artifact], outputs: Sequence[GenerationOutput], store: Store
) -> list[ContentBlock]:
    """Return a link to each output, and before it the picture, or its small copy, as long as there is room."""
    blocks: list[ContentBlock] = []
    left = MOST_BASE64
    for artifact, output in zip(artifacts, outputs, strict=False):
        picture = await _picture(artifact, store, left)
        if picture is not None:
            blocks.append(picture)
            left -= len(picture.data)
        blocks.append(_link(output))
    return blocks


def _link(output: GenerationOutput) -> ResourceLink:
    name = output.url.partition("?")[0].rpartition("/")[2]
    return ResourceLink(name=name, uri=output.url, mime_type=output.mime_type, size=output.bytes)


async def _picture(artifact: Artifact, store: Store, most: int) -> ImageContent | None:
    """Return the largest picture of an output of at most so many characters of base64; None without one."""
    own = (artifact,) if artifact.media_type.startswith("image/") else ()
    copies = [preview for name in ("web", "thumbnail") for preview in artifact.previews if preview.name == name]
    for one in (*own, *copies):
        if not one.media_type.startswith("image/") or base64_length(one.bytes) > most:
            continue
        try:
            content = await asyncio.to_thread(store.head, one.key, one.bytes)
        except (StorageUnavailable, UnknownOutput):
            return None  # the link says so to who follows it
        return ImageContent(data=b64encode(content).decode(), mime_type=one.media_type)
    return None


def base64_length(size: int) -> int:
    """Return the characters of so many bytes as base64."""
    return 4 * ((size + 2) // 3)
