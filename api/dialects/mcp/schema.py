"""The arguments of the tools, and their answers: the JSON Schemas that agents read are made of these."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Prompt, Seed
from jobs.params.media import Element
from jobs.params.sound import LONGEST_LYRICS
from jobs.params.video import MOST_SHOTS

GenerationType = Literal[
    "text-to-image",
    "image-to-image",
    "text-to-video",
    "image-to-video",
    "text-to-speech",
    "text-to-sound",
    "text-to-music",
    "image-to-3d",
    "remove-background",
]
MediaType = Literal["image", "video", "audio", "3d"]
LONGEST_WAIT = 50
"""Seconds that a call waits at most: hosts give a call up after a minute."""

Model = Annotated[str, Meta(min_length=1, max_length=200, description="The `id` of a model of get_models.")]
Type = Annotated[
    GenerationType,
    Meta(description="Default: the first of the model's `generation_types` that takes so many sources."),
]
NegativePrompt = Annotated[str, Meta(max_length=4000, description="What to avoid, for models that support it.")]
GenerationId = Annotated[
    str, Meta(min_length=1, max_length=200, description="The `generation_id` that generate_media returned.")
]


class ShotOfMedia(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shot of a storyboard. It begins with `image`, where the shot before ends, or with a picture that is drawn."""

    prompt: Annotated[Prompt, Meta(description="What the shot shows, and how it moves.")]
    duration: Annotated[str | float, Meta(description='Seconds of the shot: "5s", "5" or 5.')] | None = None
    image: Annotated[str, Meta(description="The first frame: a URL, or an output of an earlier generation.")] | None = (
        None
    )
    continues: Annotated[bool, Meta(description="Begin with the last frame of the shot before.")] = False


class GenerateMedia(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to make."""

    prompt: Annotated[Prompt, Meta(description="What to make, or for text-to-speech the text to speak.")]
    model: Model
    generation_type: Type | None = None
    negative_prompt: NegativePrompt | None = None
    source_media_urls: Annotated[
        str | list[str],
        Meta(
            description="One or several public http(s) URLs of inputs: the image to change, the first and the last "
            "frame, further reference images, the film of motion control, or the voice to speak with. "
            "`output:<generation_id>/0` is the first output of an earlier generation. Not where it is "
            "made of text alone."
        ),
    ] = []
    aspect_ratio: Annotated[
        str,
        Meta(max_length=20, description="Width to height: 1:1, 16:9, 9:16, 4:5, 21:9 or another one."),
    ] = "1:1"
    duration: (
        Annotated[str | float, Meta(description='Seconds of a video, a sound or music: "5s", "5" or 5.')] | None
    ) = None
    lyrics: (
        Annotated[
            str,
            Meta(max_length=LONGEST_LYRICS, description="What is sung in text-to-music, for models that support it."),
        ]
        | None
    ) = None
    resolution: (
        Annotated[str, Meta(max_length=20, description="1K, 2K or 4K, of videos also 480p, 720p and 1080p.")] | None
    ) = None
    quality: Annotated[
        str, Meta(max_length=40, description="fast, standard, pro or ultra, for models that have such presets.")
    ] = "standard"
    sound: Annotated[bool, Meta(description="A video with sound, for models that support it.")] = False
    seed: Annotated[Seed, Meta(description="Repeats a result; -1 draws a fresh one.")] = -1
    shots: Annotated[
        list[ShotOfMedia],
        Meta(
            max_length=MOST_SHOTS,
            description="A storyboard: the shots of one video, in order. `prompt` is then what they have in common.",
        ),
    ] = []
    multi_shots: (
        Annotated[bool, Meta(description="Default: whether there are `shots`; false is single-shot mode.")] | None
    ) = None
    elements: Annotated[
        list[Element],
        Meta(max_length=8, description="What `@name` in a prompt means. Needs a picture in `source_media_urls`."),
    ] = []
    kling_elements: Annotated[list[Element], Meta(max_length=8, description="Another name of `elements`.")] = []

    @property
    def named_elements(self) -> list[Element]:
        """The elements, under whichever of their two names."""
        return [*self.elements, *self.kling_elements]


class GenerationStatusOf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which generation."""

    generation_id: GenerationId
    wait: Annotated[
        float,
        Meta(
            ge=0,
            le=LONGEST_WAIT,
            description="Seconds to wait for its end before this answers; the answer comes as soon as it has ended.",
        ),
    ] = 0


class GenerationToCancel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which generation."""

    generation_id: GenerationId


class GenerationToEstimate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would be made."""

    model: Model
    generation_type: Type | None = None
    prompt: Annotated[Prompt, Meta(description="Can affect the estimate.")] | None = None
    negative_prompt: NegativePrompt | None = None
    parameters: Annotated[
        dict[str, Any],
        Meta(description="Further arguments of generate_media, such as duration, quality and aspect_ratio."),
    ] = {}


class ModelsToList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which models."""

    generation_type: Annotated[GenerationType, Meta(description="Only models that do this.")] | None = None


class StartedGeneration(msgspec.Struct, frozen=True, kw_only=True):
    """A generation that was started. Ask for its status after `poll_after_seconds`."""

    generation_id: str
    status: str
    model: str
    generation_type: str
    estimated_time_seconds: float | None
    estimated_cost_credits: float
    poll_after_seconds: int
    warnings: list[str]


class Dimensions(msgspec.Struct, frozen=True):
    """The sides of a picture or a video in pixels."""

    width: int
    height: int


class GenerationOutput(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was made. Its links need no key.

    `optimized_url` leads to a copy for pages and players, or to the file itself where there is none.
    """

    url: str
    thumbnail_url: str | None
    optimized_url: str
    media_type: MediaType
    mime_type: str
    bytes: int
    dimensions: Dimensions | None
    duration_seconds: float | None


class GenerationFailure(msgspec.Struct, frozen=True):
    """Why a generation failed."""

    code: str
    message: str


class GenerationStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A generation as it is now. `progress` is 0 to 1; `estimated_time_seconds` is what is left.

    It has ended once `status` is completed, failed or cancelled; until then ask again after `poll_after_seconds`.
    """

    generation_id: str
    status: Literal["pending", "queued", "processing", "completed", "failed", "cancelled"]
    model: str
    progress: float
    waiting_for: str | None
    estimated_time_seconds: float | None
    cost_credits: float
    poll_after_seconds: int | None
    outputs: list[GenerationOutput]
    error: GenerationFailure | None
    warnings: list[str]


class InputCounts(msgspec.Struct, frozen=True):
    """How many `source_media_urls` a generation type takes."""

    min: int
    max: int


class ModelCosts(msgspec.Struct, frozen=True, kw_only=True):
    """What a generation costs: credits for each, and for each second of what lasts; `usd` is the first in US dollars.

    `sound_credits_per_second` is for each second of a video with sound, beside the others.
    """

    credits: float
    credits_per_second: float
    usd: float
    sound_credits_per_second: float


class ModelAbilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a model supports, and its limits; arguments that it does not support are ignored.

    `durations` are the only seconds of a video or a sound that it makes, where there are any. `max_shots` is how many
    shots a storyboard may have with it: 1 is single-shot mode, 0 is none.
    """

    negative_prompt: bool
    sound: bool
    qualities: list[str]
    max_prompt_chars: int
    durations: list[float]
    min_duration_seconds: float | None
    max_duration_seconds: float | None
    languages: list[str]
    max_shots: int
    elements: bool
    lyrics: bool


class ModelChoice(msgspec.Struct, frozen=True, kw_only=True):
    """A model. Only one that is `available` starts soon; `default` is the first choice for what it makes."""

    id: str
    title: str
    available: bool
    default: bool
    generation_types: list[GenerationType]
    input_media_types: list[MediaType]
    required_inputs: dict[str, InputCounts]
    costs: ModelCosts
    estimated_time_seconds: float
    capabilities: ModelAbilities


class ModelChoices(msgspec.Struct, frozen=True):
    """The models, those that are available first."""

    models: list[ModelChoice]


class GenerationEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """How long a generation would take from now on, and what it would cost at most.

    Half of such generations end within `estimated_time_seconds`, 95 % within `p95_seconds`. Of these `wait_seconds` are
    for a server and `load_seconds` for loading the model. `confidence` (high, medium, low or none) is about the rest,
    which follows from `sample_size` measured generations. `waiting_for` says why it would not start at once.
    """

    model: str
    generation_type: str
    estimated_time_seconds: float
    p95_seconds: float
    wait_seconds: float | None
    load_seconds: float
    confidence: str
    sample_size: int
    waiting_for: str | None
    estimated_cost_credits: float
