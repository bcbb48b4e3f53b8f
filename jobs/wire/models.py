"""Answers about the models of the catalog."""

from typing import Annotated

import msgspec

from jobs.params.registry import Modality
from jobs.wire.values import documented


class ModelFilms(msgspec.Struct, frozen=True, kw_only=True):
    """What a model accepts of the films that it is given; without `types` all that are read."""

    types: tuple[str, ...] = ()
    max_bytes: int = 100_000_000
    max_seconds: float = 30.0


class ModelLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a model. Sides are in pixels; another size than a `native_size`, if there are any, is resized.

    `max_references`: reference images; for a model without `image-to-image` an `input_image` is one of them.
    `resolutions`: of an image, beside 1K.
    `min_seconds`, `max_seconds`: of a video, a sound or music; `durations` are the only ones, where there are any.
    `input_types`: media types of pictures; empty for all that are read. `max_input_bytes`: of each input; null leaves
    it to the service. `films`: of those that it is given. `max_shots`: of a storyboard; 1 where it makes one shot and
    no more.
    `max_lyrics_chars`: of music, for a model that sings.
    `min_voice_seconds`: a reference voice is longer; 0 where the model does not say. `max_audio_seconds`: of a voice or
    a recording that it is given.
    `max_scale`: how many times as wide and high it makes a picture; `network_pixels`: what has more is enlarged without
    its network. `max_output_pixels`, `max_output_side`, `max_output_bytes`, `max_paths`: of the picture or SVG that is
    made. `max_texts`: of a request for vectors. Null where it does not count.
    """

    max_prompt_chars: int
    min_side: int
    max_side: int
    side_multiple: int | None
    native_sizes: tuple[tuple[int, int], ...]
    max_references: int
    max_seconds: float
    min_voice_seconds: float
    min_seconds: float = 0.1
    durations: tuple[float, ...] = ()
    input_types: tuple[str, ...] = ()
    max_input_bytes: int | None = None
    resolutions: tuple[str, ...] = ()
    films: ModelFilms = ModelFilms()
    max_shots: int = 12
    max_lyrics_chars: int = 4000
    max_scale: int | None = None
    network_pixels: int | None = None
    max_audio_seconds: float | None = None
    max_output_pixels: int | None = None
    max_output_side: int | None = None
    max_output_bytes: int | None = None
    max_paths: int | None = None
    max_texts: int | None = None


class ModelUnsupported(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of a field that the model does not use, and of a value beyond its limits.

    `refuse`: 422, with the limit. `adapt`: the nearest that it makes, with a warning: a prompt is cut, a field is left
    out.
    """

    prompt: str = "refuse"
    duration: str = "refuse"
    size: str = "adapt"
    negative_prompt: str = "adapt"
    quality: str = "adapt"
    strength: str = "refuse"
    sound: str = "refuse"
    lyrics: str = "refuse"


class ModelPreset(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a value of `quality`; null is the model's default. The size is that of a request without one."""

    num_inference_steps: int | None
    guidance_scale: float | None
    width: int | None = None
    height: int | None = None


class ModelDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """The model's values of fields that a request leaves out, and its frames per second; null is the pipeline's."""

    num_inference_steps: int | None
    guidance_scale: float | None
    strength: float | None
    fps: int | None


class ModelLicense(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of the weights."""

    name: str
    url: str


class ModelRates(msgspec.Struct, frozen=True, kw_only=True):
    """Further parts of a job's price, in US dollars; 0 for what does not count.

    `per_second` of a video, `sound_per_second` of one with sound beside that, `per_megapixel_step` of an image,
    `per_gpu_second` on the device, of which at most `max_gpu_seconds` are reserved and charged.
    """

    per_second: float = 0.0
    sound_per_second: float = 0.0
    per_megapixel_step: float = 0.0
    per_gpu_second: float = 0.0
    max_gpu_seconds: float | None = None


class ModelAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A model.

    `inputs`: what it may be asked to do, with the least and the most pictures that it takes for each. `unsupported`:
    what becomes of a request for what it does not do.

    `available`: a running server serves it now. `default`: a submit without `model` gets it now, unless it asks for
    what only a later model in the list supports. `loras`: those that a request may name, and the terms of each.
    `takes_lora_files`: whether callers may bring others, which the operator allows. `languages`: those it speaks, with
    their varieties; empty where the model does not name any. `vocabulary`: words of which a prompt must name one; empty
    for a model that takes any. `templates`: those that a model of texts answers and nothing else; empty for any text.

    `disk_bytes`: all its files. `disk_bytes_at_least`: the files of known size, where some sizes are not known yet.
    `weights_bytes`: its weights in memory, by precision. `vram_bytes`: the estimate of all
    that it takes of a GPU. `smallest_card_gb`: the smallest card, as they are sold, that has room for that; null where
    no card is needed. `estimated_on`: the hardware that `estimated_seconds` is for; `is_measured`: whether it was
    measured there. What is not known is null or empty.
    """

    id: str
    title: str
    modality: Annotated[str, documented(Modality)]
    tier: str
    available: bool
    default: bool
    capabilities: tuple[str, ...]
    languages: tuple[str, ...]
    limits: ModelLimits
    defaults: ModelDefaults
    quality: dict[str, ModelPreset]
    price_usd: float
    estimated_seconds: float
    licence: ModelLicense
    disk_bytes: int | None = None
    disk_bytes_at_least: int | None = None
    weights_bytes: dict[str, int] = {}
    vram_bytes: int = 0
    smallest_card_gb: int | None = None
    estimated_on: str | None = None
    is_measured: bool = False
    rates: ModelRates = ModelRates()
    inputs: dict[str, tuple[int, int]] = {}
    unsupported: ModelUnsupported = ModelUnsupported()
    vocabulary: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    loras: dict[str, ModelLicense] = {}
    takes_lora_files: bool = False


class ModelList(msgspec.Struct, frozen=True):
    """Every model of the catalog, in its order."""

    models: list[ModelAnswer]
