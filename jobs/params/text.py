"""Parameters of texts: chats that a model continues (contract A62-A76), recordings that are written down (D32)."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Params, Seed
from jobs.params.media import NAMED, MediaKind, Source
from jobs.params.modality import ModalitySpec

LONGEST_PROMPT = 32_000
"""Characters of everything that a model reads; an entry's `max_prompt_chars` may say less."""
MOST_IMAGES = 8
"""Pictures of one request."""
FILM_FRAMES = 4
"""Pictures of a film that a model sees."""
MOST_TOKENS = 8192
"""Tokens of one text."""
MOST_VECTORS = 256
"""Texts of one request for vectors."""

Words = Annotated[str, Meta(min_length=1, max_length=LONGEST_PROMPT, pattern=r"\S")]
Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,49}(?!\n)$")]

Variables = Annotated[
    dict[Name, Annotated[str, Meta(min_length=1, max_length=8000, pattern=r"\S")]],
    Meta(max_length=20, description="What stands in the places of the template."),
]


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One turn of a chat."""

    role: Annotated[
        Literal["system", "user", "assistant"], Meta(description="Whose words they are; `system` says how to answer.")
    ]
    content: Annotated[Words, Meta(description="What they say.")]
    images: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=MOST_IMAGES)], ...],
        Meta(description="The pictures before these words, by their places in the request's `images`, from 0."),
    ] = ()


class TextParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="text"):
    """A text by a language model; one of `prompt`, `messages` and `template` is required.

    Pictures that no message names come before the words of the last one, and those of a film after them.
    """

    media: ClassVar[dict[str, MediaKind]] = {"images": "image", "input_video": "video"}

    prompt: Annotated[Words, Meta(description="What to write, in plain words.")] | None = None
    messages: Annotated[
        tuple[ChatMessage, ...],
        Meta(max_length=100, description="A chat so far, instead of `prompt`; its last message is the user's."),
    ] = ()
    template: Annotated[Name, Meta(description="A prompt of the service by its name, instead of `prompt`.")] | None = (
        None
    )
    images: Annotated[
        tuple[Source, ...], Meta(max_length=MOST_IMAGES, description="Pictures to be seen, by a model that can.")
    ] = ()
    input_video: (
        Annotated[
            Source,
            Meta(description=f"A film, as MP4, WebM or MOV; a model that can sees {FILM_FRAMES} pictures of it."),
        ]
        | None
    ) = None
    variables: Variables = msgspec.field(default_factory=dict)
    output_format: Annotated[
        Literal["txt", "md", "webp", "jpeg", "png"],
        Meta(description="md asks the model for Markdown; image formats are accepted with a warning and give txt."),
    ] = "txt"
    max_tokens: Annotated[
        int, Meta(ge=1, le=MOST_TOKENS, description="Upper bound of the text; a token is about four characters.")
    ] = 512
    temperature: Annotated[
        float, Meta(ge=0, le=2, description="How freely the model chooses; 0 always takes the likeliest token.")
    ] = 0.7
    top_p: Annotated[
        float, Meta(gt=0, le=1, description="It chooses among the likeliest tokens of this share together.")
    ] = 0.95
    stop: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...],
        Meta(max_length=4, description="Where the text ends; what is listed here is not in it."),
    ] = ()
    seed: Seed = -1

    @property
    def characters(self) -> int:
        """Characters that the caller sent for the model to read."""
        turns = sum(len(message.content) for message in self.messages)
        return len(self.prompt or "") + turns + sum(map(len, self.variables.values()))


TEXT = ModalitySpec(
    name="text",
    params=TextParams,
    summary="Write a text",
    note="its text is in the answer, and in a file like any other output.",
    status_summary="Status of a text",
    examples=(
        ("Only a prompt", {"prompt": "Write one sentence that sells a handmade leather wallet."}),
        (
            "A chat, in Markdown",
            {
                "messages": [
                    {"role": "system", "content": "You write for a shop of kitchenware."},
                    {"role": "user", "content": "Five captions for a stoneware mug."},
                ],
                "max_tokens": 400,
                "temperature": 0.9,
                "output_format": "md",
            },
        ),
        (
            "What is in a picture",
            {"prompt": "Describe this product in two sentences.", "images": ["https://shop.example/chair.jpg"]},
        ),
        (
            "What is in a film",
            {"template": "description", "input_video": "https://shop.example/chair.mp4"},
        ),
        (
            "A template",
            {"template": "product-description", "variables": {"product": "a handmade leather wallet"}},
        ),
    ),
    word="text",
    argument="prompt",
    formats={".txt": "txt", ".md": "md"},
    flags={"variables": ("--variable",), "images": ("--image",), "input_video": ("--video",)},
)
"""Texts by language models (contract A62-A76)."""


class TranscriptParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="transcript"):
    """What is said in a recording, with times; `input_audio` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"input_audio": "recording"}

    input_audio: Annotated[
        Source, Meta(description="The recording, or a film of which the sound is heard; of at most an hour.")
    ]
    language_id: (
        Annotated[
            str,
            Meta(min_length=2, max_length=20, description="Language code, e.g. en or pt; without one it is found."),
        ]
        | None
    ) = None
    prompt: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=1000,
                pattern=r"^(?!.*<\|)[\s\S]*\S",
                description="Names and words that are spelled as here; its last 200 tokens or so count.",
            ),
        ]
        | None
    ) = None
    output_format: Annotated[
        Literal["json", "txt", "srt", "vtt", "webp", "jpeg", "png"],
        Meta(description="json has all times; srt and vtt are subtitles. Image formats give json and a warning."),
    ] = "json"
    timestamp_granularities: Annotated[
        tuple[Literal["segment", "word"], ...],
        Meta(max_length=2, description="What has times in a json file: sentences always, and each word if asked for."),
    ] = ("segment",)
    temperature: Annotated[
        float, Meta(ge=0, le=1, description="How freely the model chooses; 0 always takes the likeliest token.")
    ] = 0.0
    seed: Seed = -1


TRANSCRIPT = ModalitySpec(
    name="transcript",
    params=TranscriptParams,
    summary="Write down what is said",
    note="its text is in the answer; its times are in the file.",
    status_summary="Status of a transcript",
    examples=(
        ("Only a recording", {"input_audio": "https://shop.example/interview.mp3"}),
        (
            "With the times of words",
            {"input_audio": "https://shop.example/interview.mp3", "timestamp_granularities": ["word"]},
        ),
        (
            "Subtitles of a film in German",
            {"input_audio": "https://shop.example/film.mp4", "language_id": "de", "output_format": "vtt"},
        ),
    ),
    word="transcript",
    argument="input_audio",
    formats={".json": "json", ".txt": "txt", ".srt": "srt", ".vtt": "vtt"},
    flags={"language_id": ("--language",), "timestamp_granularities": ("--times",)},
)
"""What is said in recordings and films (contract D32)."""


class EmbeddingParams(Params, frozen=True, kw_only=True, tag_field="modality", tag="embedding"):
    """Vectors of texts or of a picture, by which they are compared; `texts` or `input_image` is required."""

    media: ClassVar[dict[str, MediaKind]] = {"input_image": "image"}

    texts: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=LONGEST_PROMPT, pattern=r"\S")], ...],
        Meta(max_length=MOST_VECTORS, description="The texts, each of which gets a vector."),
    ] = ()
    input_image: Annotated[Source, Meta(description=f"Or one picture, for a model that sees. {NAMED}")] | None = None
    output_format: Annotated[
        Literal["json", "webp", "jpeg", "png"],
        Meta(description="json; image formats are accepted with a warning and give json."),
    ] = "json"


EMBEDDING = ModalitySpec(
    name="embedding",
    params=EmbeddingParams,
    summary="Make vectors",
    note="its vectors are in the file.",
    status_summary="Status of vectors",
    examples=(
        ("Two texts", {"texts": ["red running shoes", "a pair of red sneakers"]}),
        ("A picture", {"input_image": "https://shop.example/shoes.jpg"}),
    ),
    word="embedding",
    argument="texts",
    formats={".json": "json"},
    flags={"input_image": ("--input",)},
)
"""Vectors of texts and pictures (contract D32)."""
