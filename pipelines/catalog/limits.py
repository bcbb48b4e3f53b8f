"""What a model accepts of requests, and what becomes of one that asks for something else. No torch, no numpy."""

from functools import cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jobs.params.base import Params, Resolution
from jobs.params.media import MediaKind
from jobs.params.registry import Modality, modality_named
from jobs.params.text import MOST_VECTORS
from jobs.params.video import MOST_SHOTS

GenerationType = Literal["text-to-image", "image-to-image", "text-to-video", "image-to-video"]
"""What a model is asked to do: what it makes, and from what."""
Policy = Literal["refuse", "adapt"]
"""What becomes of a request beyond the limits: 422 with the limit, or the nearest that the model makes, with a
warning."""

LONGEST_SIDES: dict[Resolution, int] = {"1K": 1024, "2K": 2048, "4K": 4096}
"""The longest side of an image, by its resolution."""

AUDIO_SECONDS: dict[MediaKind, float] = {"audio": 60.0, "recording": 3600.0}
"""Most seconds of a sound that a request brings, by its kind: a voice, and what is written down."""
MOST_PIXELS, MOST_SIDE = 64_000_000, 16_383
"""Of a picture that is enlarged: 8000x8000, and no side that WebP does not have."""
MAX_PATHS, MAX_SVG_BYTES = 5000, 4_000_000
"""Of an SVG: what browsers and drawing programs show without delay."""

Side = Annotated[int, Meta(ge=1, le=16384)]
Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0, le=17)]
"""Pictures of a request: one to start from, and up to 16 references."""
ImageType = Literal[
    "image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff", "image/avif"
]  # those of `jobs.media_types`


FilmType = Literal["video/mp4", "video/webm", "video/quicktime"]  # those of `jobs.media_types`


class FilmLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model accepts of films that it is given: media types, bytes and seconds of each.

    Without `types` all that the service reads. A film above the service's own limits (`ATELIER_FILM_MAX_BYTES`) is
    refused whatever is said here.
    """

    types: tuple[FilmType, ...] = ()
    max_bytes: Annotated[int, Meta(ge=1)] = 100_000_000
    max_seconds: Seconds = 30.0


class Unsupported(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of a field that the model does not use, and of a value beyond its limits.

    - `prompt`: more than `max_prompt_chars`; adapted, it is cut behind the last word that fits.
    - `duration`: none of `durations`, or outside `min_seconds` to `max_seconds`; adapted, the nearest is made.
    - `size`: a size that the model does not make; adapted, the nearest is made and resized.
    - `negative_prompt`, `quality`, `strength`, `lyrics`: without the capability or the preset; adapted, they are left
      out.
    - `sound`: of a video, without the capability. A model of sounds makes it apart, and it is refused where no server
      has both; adapted, the video is silent in any case.

    A field that the caller leaves out is never refused.
    """

    prompt: Policy = "refuse"
    duration: Policy = "refuse"
    size: Policy = "adapt"
    negative_prompt: Policy = "adapt"
    quality: Policy = "adapt"
    strength: Policy = "refuse"
    sound: Policy = "refuse"
    lyrics: Policy = "refuse"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model accepts. Sides are in pixels. `Unsupported` says what becomes of a request for something else.

    - `native_sizes`: the only (width, height) that the model makes.
    - `min_side`, `max_side`, `side_multiple`: the sides of a model without native sizes. `side_multiple` defaults to
      what the pipeline's VAE needs.
    - `tiled_above`: an image with a longer side than this is encoded and decoded in tiles.
    - `resolutions`: those that a request for an image may ask for, beside 1K.
    - `durations`: the only seconds of a video, a sound or music that the model makes; one is a fixed duration. Without
      them any from `min_seconds` to `max_seconds`. A video has `frame_step` n + 1 frames, since its autoencoder makes
      no other number.
    - `clip_seconds`: what a model of videos makes at once. A longer video, up to `max_seconds`, is made of clips, each
      from the last frame of the one before.
    - `inputs`: the least and the most pictures of a generation type, where the capabilities do not say it:
      `{ image-to-video = [2, 2] }` takes a start and an end frame, `{ text-to-video = [0, 1] }` an optional picture.
    - `input_types`: media types of pictures; empty: all that the service reads. `max_input_bytes`: of each input other
      than a film. `films`: the same of films.
    - `max_shots`: of a storyboard (`pipelines.catalog.storyboard`); 1 is for a model that makes one shot and no more.
    - `max_lyrics_chars`: of a model with the capability `lyrics`.
    - `min_voice_seconds`: a reference voice must be longer; 0 leaves it to the pipeline.
    - `max_scale`: how many times as wide and high a model of upscaling makes a picture at most.
    - `network_pixels`: the pixels that its network enlarges in a job; what has more is enlarged with Lanczos.
    """

    max_prompt_chars: Annotated[int, Meta(ge=1)] = 4000
    min_side: Side = 64
    max_side: Side = 1024
    side_multiple: Side | None = None
    tiled_above: Side = 1024
    native_sizes: tuple[tuple[Side, Side], ...] = ()
    resolutions: tuple[Resolution, ...] = ()
    max_references: Annotated[int, Meta(ge=0, le=16)] = 0
    min_seconds: Seconds = 0.1
    max_seconds: Seconds = 10.0
    durations: tuple[Seconds, ...] = ()
    frame_step: Annotated[int, Meta(ge=1)] = 1
    clip_seconds: Seconds | None = None
    inputs: dict[GenerationType, tuple[Count, Count]] = {}
    input_types: tuple[ImageType, ...] = ()
    max_input_bytes: Annotated[int, Meta(ge=1)] | None = None
    films: FilmLimits = FilmLimits()
    max_shots: Annotated[int, Meta(ge=1, le=MOST_SHOTS)] = MOST_SHOTS
    max_lyrics_chars: Annotated[int, Meta(ge=1)] = 4000
    min_voice_seconds: Annotated[float, Meta(ge=0)] = 0.0
    max_scale: Annotated[int, Meta(ge=2, le=4)] = 4
    network_pixels: Annotated[int, Meta(ge=1)] | None = None

    def __post_init__(self) -> None:
        if any(least > most for least, most in self.inputs.values()):
            raise ValueError("`inputs` has a least number above the most")
        if self.min_seconds > self.max_seconds and not self.durations:
            raise ValueError("`min_seconds` is above `max_seconds`")

        for resolution in self.resolutions:
            if LONGEST_SIDES[resolution] > self.max_side:
                raise ValueError(f"`resolutions` has {resolution!r}, whose sides are above `max_side`")

    def nearest_resolution(self, asked: Resolution) -> Resolution:
        """Return the resolution that the model makes for the one that is asked for: the same, or its largest."""
        made: tuple[Resolution, ...] = ("1K", *self.resolutions)
        return asked if asked in made else max(made, key=LONGEST_SIDES.__getitem__)

    def nearest_seconds(self, seconds: float) -> float:
        """Return the duration that the model makes for the one that is asked for."""
        if self.durations:
            return min(self.durations, key=lambda each: (abs(each - seconds), each))
        return min(max(seconds, self.min_seconds), self.max_seconds)


class ServiceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the service's own, which every model of a modality has; None where it has none.

    Seconds of a sound that a request brings; pictures and their sides, in pixels, and bytes and paths of what is made;
    texts of a request.
    """

    max_audio_seconds: float | None = None
    max_output_pixels: int | None = None
    max_output_side: int | None = None
    max_output_bytes: int | None = None
    max_paths: int | None = None
    max_texts: int | None = None


@cache
def service_limits(modality: Modality) -> ServiceLimits:
    """Return the limits of every model of a modality."""
    if modality == "upscale":
        return ServiceLimits(max_output_pixels=MOST_PIXELS, max_output_side=MOST_SIDE)
    if modality == "vectorize":
        return ServiceLimits(max_output_bytes=MAX_SVG_BYTES, max_paths=MAX_PATHS)
    if modality == "embedding":
        return ServiceLimits(max_texts=MOST_VECTORS)
    sounds = [AUDIO_SECONDS[kind] for kind in modality_named(modality).params.media.values() if kind in AUDIO_SECONDS]
    return ServiceLimits(max_audio_seconds=max(sounds, default=None))


def size_asked(params: object) -> tuple[int, int]:
    """Return the width and height of a request; 0 for a modality without a size."""
    return getattr(params, "width", 0), getattr(params, "height", 0)


@cache
def usual_size(type_: type[Params]) -> tuple[int, int] | None:
    """Return width and height of parameters that name none; None for a modality without a size."""
    usual = {field.name: field.default for field in msgspec.structs.fields(type_)}
    return (usual["width"], usual["height"]) if "width" in usual and "height" in usual else None
