"""Answers about voices."""

from typing import Annotated, Literal

import msgspec

from jobs.wire.values import UtcTime, documented

VoiceKind = Literal["stored", "builtin"]


class VoiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A voice.

    `stored`: your own; use its `voice_id` as `target_voice_path`. `builtin`: the voice of a model without a
    `target_voice_path`, with its `model` and `languages`; where a model has several, `voice` is what to ask for.
    `preview_url` is a link to the recording, valid as long as any download link, and null where the object store does
    not sign links; of a built-in voice it leads to a sentence that is spoken when the link is first followed, and stays
    valid.
    """

    voice_id: str
    name: str
    kind: Annotated[str, documented(VoiceKind)]
    model: str | None = None
    voice: str | None = None
    languages: tuple[str, ...] = ()
    media_type: str | None = None
    bytes: int | None = None
    preview_url: str | None = None
    created_at: UtcTime | None = None


class VoiceList(msgspec.Struct, frozen=True):
    """Your voices, newest first, then those of models, all on one page."""

    voices: list[VoiceAnswer]
