"""POST /generate/speech/v1 and its status."""

from api.native.generate.factory import GenerateRoute
from jobs.params.speech import SpeechParams

SPEECH = GenerateRoute(
    modality="speech",
    params=SpeechParams,
    summary="Speak a text",
    note="it is `pending` while its reference voice is fetched.",
    status_summary="Status of a recording",
    examples=(
        ("A text is all it takes", {"text": "Good morning. Your order has left our workshop."}),
        (
            "In German, with a voice to sound like",
            {
                "text": "Guten Morgen. Ihre Bestellung ist unterwegs.",
                "language_id": "de",
                "target_voice_path": "https://shop.example/voices/anna.wav",
                "max_new_tokens": 512,
                "output_format": "mp3",
            },
        ),
    ),
)
"""Text to speech (contract C33-C40)."""
