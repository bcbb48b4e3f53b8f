"""Parameters of sound effects and of music (contract D15, E4, and the native extras)."""

from typing import Annotated, Literal

from msgspec import Meta

from jobs.params.base import Params, Prompt, Seed
from jobs.params.modality import ModalitySpec

SHORTEST_SOUND, LONGEST_SOUND, LONGEST_MUSIC = 0.2, 30.0, 600.0
"""Seconds."""
LONGEST_LYRICS = 10_000
"""Characters."""
AudioFormat = Annotated[
    Literal["wav", "mp3", "ogg", "aac", "flac", "webp", "jpeg", "png"],
    Meta(description="wav, mp3, ogg (Opus), aac or flac; image formats give wav and a warning."),
]
FILES = {".wav": "wav", ".mp3": "mp3", ".ogg": "ogg", ".aac": "aac", ".flac": "flac"}


class SoundParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="sound"):
    """A sound effect from words; `prompt` is required."""

    prompt: Annotated[Prompt, Meta(pattern=r"\S", description="What is heard, in plain words.")]
    negative_prompt: Annotated[str, Meta(max_length=4000, description="What is not to be heard.")] | None = None
    duration_seconds: Annotated[float, Meta(ge=SHORTEST_SOUND, le=LONGEST_SOUND, description="Seconds of sound.")] = 5.0
    loop: Annotated[bool, Meta(description="A sound whose end leads into its beginning without a seam.")] = False
    output_format: AudioFormat = "wav"
    num_inference_steps: Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")] | None = None
    seed: Seed = -1


class MusicParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="music"):
    """Music from words; `prompt` is required. What is left out the model chooses."""

    prompt: Annotated[Prompt, Meta(pattern=r"\S", description="Style, mood and instruments, in plain words.")]
    lyrics: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=LONGEST_LYRICS,
                pattern=r"\S",
                description="What is sung, with parts such as [verse] and [chorus], for a model that sings.",
            ),
        ]
        | None
    ) = None
    language_id: Annotated[
        str, Meta(min_length=2, max_length=20, description="The language of `lyrics`, e.g. en or pt.")
    ] = "en"
    instrumental: Annotated[bool, Meta(description="Without a voice; `lyrics` exclude it.")] = False
    duration_seconds: Annotated[float, Meta(ge=1, le=LONGEST_MUSIC, description="Seconds of music.")] = 30.0
    bpm: Annotated[int, Meta(ge=30, le=300, description="Quarter notes a minute.")] | None = None
    key: (
        Annotated[
            str, Meta(pattern=r"^[A-G][#b]? (major|minor)(?!\n)$", description="For example C major or F# minor.")
        ]
        | None
    ) = None
    time_signature: Annotated[Literal["2/4", "3/4", "4/4", "6/8"], Meta(description="The meter.")] | None = None
    output_format: AudioFormat = "wav"
    num_inference_steps: Annotated[int, Meta(ge=1, le=200, description="Denoising steps.")] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=30, description="Adherence to the prompt.")] | None = None
    seed: Seed = -1


SOUND = ModalitySpec(
    name="sound",
    params=SoundParams,
    summary="Make a sound effect",
    note="with `?wait` it answers 200 once the job has ended.",
    status_summary="Status of a sound effect",
    examples=(
        ("Only a prompt", {"prompt": "rain and distant thunder"}),
        (
            "Ten seconds that can be repeated",
            {"prompt": "waves of the sea", "duration_seconds": 10, "loop": True, "seed": 7, "output_format": "ogg"},
        ),
    ),
    word="sound",
    argument="prompt",
    formats=FILES,
    flags={
        "duration_seconds": ("--duration",),
        "num_inference_steps": ("--steps",),
        "guidance_scale": ("--guidance",),
    },
)
"""A sound effect from words (contract D15)."""

MUSIC = ModalitySpec(
    name="music",
    params=MusicParams,
    summary="Make music",
    note="with `?wait` it answers 200 once the job has ended.",
    status_summary="Status of a piece of music",
    examples=(
        ("Only a prompt", {"prompt": "a happy tune"}),
        (
            "A song, with a model that sings",
            {
                "prompt": "warm acoustic pop, female voice, guitar and light drums",
                "lyrics": "[verse]\nMorning light upon the clay\n[chorus]\nTurn the wheel and let it sway",
                "duration_seconds": 60,
                "bpm": 96,
                "key": "G major",
                "time_signature": "4/4",
                "output_format": "mp3",
            },
        ),
    ),
    word="music",
    argument="prompt",
    formats=FILES,
    flags={
        "language_id": ("--language",),
        "duration_seconds": ("--duration",),
        "key": ("--musical-key",),
        "num_inference_steps": ("--steps",),
        "guidance_scale": ("--guidance",),
    },
)
"""Music from words (contract E4)."""
