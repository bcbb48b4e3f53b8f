"""Voices as the dialect lists them."""

from api.dialects.voice_choice import shown_id
from api.dialects.whaletools.schema import VoiceItem
from jobs.wire.voices import VoiceAnswer


def voice_item(voice: VoiceAnswer) -> VoiceItem:
    """Return a voice as the dialect lists it."""
    return VoiceItem(
        id=shown_id(voice.voice_id),
        name=voice.name,
        preview_url=voice.preview_url,
        model=voice.model,
        created_at=voice.created_at,
    )
