"""Answers about voices."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from jobs.wire.values import documented

VoiceKind = Literal["stored", "builtin"]


class VoiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A voice. `stored`: yours; name its `voice_id` as `target_voice_path`. `builtin`: that of a model, which speaks
    where no `target_voice_path` is given; `model` and `languages` are its own.

    `preview_url` leads to the recording itself for as long as any download link; a model's own voice has none, and no
    voice has one while the object store signs none.
    """

    voice_id: str
    name: str
    kind: Annotated[str, documented(VoiceKind)]
    model: str | None = None
    languages: tuple[str, ...] = ()
    media_type: str | None = None
    bytes: int | None = None
    preview_url: str | None = None
    created_at: datetime | None = None


class VoiceList(msgspec.Struct, frozen=True):
    """Yours, newest first, then those of models; there are never so many that they would need pages."""

    voices: list[VoiceAnswer]
