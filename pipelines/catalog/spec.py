"""One entry of the model catalog, as frozen structs. No torch, no numpy: the API imports this."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from jobs.params.base import Quality
from jobs.params.registry import Modality

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds `pipelines/`: what ships with the repository is found from here."""

Stage = Literal["load", "compile", "prepare", "step", "decode", "encode", "upload"]
"""What a job is doing: load and compile the model, prepare (encode the prompt and the inputs, and make the
first step), step, decode latents, encode files, upload them."""

Capability = Literal[
    "text-to-image",
    "image-to-image",  # `input_image` with `strength`
    "references",  # `limits.max_references` pictures; the first is `input_image` for a model without image-to-image
    "text-to-video",
    "image-to-video",
    "first-last-frame",  # really ends at `last_image`
    "negative-prompt",
    "reference-voice",  # sounds like the recording in `target_voice_path`
]
"""What a model can do; a request that needs more is refused at submit."""
DType = Literal["float32", "bfloat16", "float16"]
Attention = Literal[
    "auto",
    "native",
    "_native_cudnn",
    "_native_efficient",
    "_native_flash",
    "_native_math",
    "flash",
    "_flash_3",
    "xformers",
]
"""Code that computes attention, by diffusers' names; none of those that it would download. "auto" chooses."""
ATTENTION: tuple[Attention, ...] = get_args(Attention)

ModelId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Side = Annotated[int, Meta(ge=1, le=16384)]
Steps = Annotated[int, Meta(ge=1, le=1000)]
Guidance = Annotated[float, Meta(ge=0, le=100)]
Seconds = Annotated[float, Meta(gt=0)]
Language = Annotated[str, Meta(pattern=r"^[a-z0-9]{2,8}(-[a-z0-9]{1,8})*$", max_length=40)]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every part of an entry: named fields only, and an unknown key is an error."""


class Source(Entry, frozen=True, kw_only=True):
    """Where the weights come from: one of four, or nothing for a family that needs none.

    `repo` with `revision`: a hub repository at one commit; of its files those that match one of `include` (all,
    when it is empty) and none of `exclude`, as shell patterns in which `*` also means `/`. `url`: one file, by
    https; the last part of its path is its name. Both are kept below the weights directory, in a folder called
    like `Bundle.key`. `path`: a folder, absolute or relative to the weights directory. `shipped`: a folder of this
    repository.
    """

    repo: Name | None = None
    revision: Annotated[str, Meta(pattern="^[0-9a-f]{40}$")] | None = None
    include: tuple[Name, ...] = ()
    exclude: tuple[Name, ...] = ()
    url: (
        Annotated[str, Meta(pattern=r"^https://[^/?#]+/([^?#]*/)?[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=500)] | None
    ) = None
    path: Name | None = None
    shipped: Name | None = None

    def __post_init__(self) -> None:
        if sum(place is not None for place in (self.repo, self.url, self.path, self.shipped)) > 1:
            raise ValueError("name one of `repo`, `url`, `path` and `shipped`")
        if (self.repo is None) != (self.revision is None):
            raise ValueError("`repo` and `revision` go together")
        if self.repo is None and (self.include or self.exclude):
            raise ValueError("`include` and `exclude` choose files of a `repo`")

    @property
    def needs_weights(self) -> bool:
        """Whether there are any files to lock and verify."""
        return (self.repo or self.url or self.path or self.shipped) is not None

    @property
    def is_remote(self) -> bool:
        """Whether the files are fetched from somewhere."""
        return (self.repo or self.url) is not None


class Lora(Entry, frozen=True, kw_only=True):
    """Low-rank weights that a quality preset puts on the model: `file` within `source`, added `scale` times.

    They are kept beside the model's own folder, in one called like `Bundle.key`. `scheduler`: what is different in the
    configuration of the scheduler while they are on, since those for few steps were distilled on a schedule of their
    own.
    """

    source: Source
    file: Name
    scale: float = 1.0
    scheduler: dict[str, float] = {}


class Bundle(msgspec.Struct, frozen=True):
    """Files that belong together: a model's own, or those of one of its LoRAs. `key` names them in weights.lock."""

    key: str
    source: Source

    def directory(self, weights_dir: Path) -> Path:
        """The folder of these files. It need not exist."""
        if self.source.shipped is not None:
            return CHECKOUT / self.source.shipped
        return weights_dir / (self.source.path or self.key)


class License(Entry, frozen=True, kw_only=True):
    """The terms of the weights: an SPDX id, or a word like one where SPDX has none, and where to read them."""

    name: Name
    url: Name


class Limits(Entry, frozen=True, kw_only=True):
    """What the model can take. Sides in pixels.

    `native_sizes`: the only (width, height) that the model makes. Without them: sides from `min_side` to
    `max_side` in multiples of `side_multiple` (default: what the pipeline's VAE wants). A size that is asked for
    and can not be made is no error in the pipeline: the nearest one is made, resized or cut, and a warning says so.
    Films have at most `max_seconds`, and `frame_step` n + 1 frames, since that is what their autoencoders make.
    A reference voice must be longer than `min_voice_seconds`; 0 leaves it to the pipeline.
    """

    max_prompt_chars: Annotated[int, Meta(ge=1)] = 4000
    min_side: Side = 64
    max_side: Side = 1024
    side_multiple: Side | None = None
    native_sizes: tuple[tuple[Side, Side], ...] = ()
    max_references: Annotated[int, Meta(ge=0, le=16)] = 0
    max_seconds: Seconds = 10.0
    frame_step: Annotated[int, Meta(ge=1)] = 1
    min_voice_seconds: Annotated[float, Meta(ge=0)] = 0.0


class Defaults(Entry, frozen=True, kw_only=True):
    """Values for what the caller leaves out; `None` leaves it to the pipeline."""

    width: Side = 1024
    height: Side = 1024
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    strength: Annotated[float, Meta(gt=0, le=1)] | None = None
    fps: Annotated[int, Meta(ge=1, le=120)] | None = None


class Preset(Entry, frozen=True, kw_only=True):
    """What a quality word stands for; `None` keeps the model's default. `lora` is a name of the model's `loras`.

    `cache` "first-block" reuses the blocks of the last whole step in each step whose first block has changed by less
    than the share `cache_threshold`: it is faster, and the result differs.
    """

    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    lora: Name | None = None
    cache: Literal["first-block"] | None = None
    cache_threshold: Annotated[float, Meta(gt=0, le=1)] = 0.05

    @property
    def reuse_threshold(self) -> float | None:
        """The threshold where steps are reused."""
        return self.cache_threshold if self.cache else None


class Deadlines(Entry, frozen=True, kw_only=True):
    """Seconds a stage may take before the watchdog ends it; `prepare` and `step` are renewed by every
    report.
    """

    load: Seconds = 600.0
    compile: Seconds = 600.0
    prepare: Seconds = 180.0
    step: Seconds = 120.0
    decode: Seconds = 120.0
    encode: Seconds = 60.0
    upload: Seconds = 180.0

    def of(self, stage: Stage) -> float:
        """Seconds for `stage`."""
        return float(getattr(self, stage))


class ModelSpec(Entry, frozen=True, kw_only=True):
    """One model: where it is, what it can do, what it costs.

    `family` is a name of `pipelines.runtime.registry.FAMILIES`, or `module:Class` for a pipeline from elsewhere.
    `aliases` are further names per dialect. `price_usd` is one output at the default size. `vram_bytes` and
    `estimated_seconds` are estimates for the hardware the model is meant for, until a worker has measured
    them.
    """

    id: ModelId
    title: Name
    family: Name
    modality: Modality
    tier: Literal["demo", "standard"] = "standard"
    source: Source = Source()
    licence: License
    aliases: dict[str, tuple[Name, ...]] = {}
    capabilities: tuple[Capability, ...] = ()
    languages: tuple[Language, ...] = ()
    """What it speaks; nothing said: the pipeline judges."""
    voice: Name | None = None
    """What its own voice is called, which speaks where no other is asked for; `None`: it has none."""
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    quality: dict[Quality, Preset] = {}
    loras: dict[ModelId, Lora] = {}
    price_usd: Annotated[float, Meta(ge=0)] = 0.0
    vram_bytes: Annotated[int, Meta(ge=0)] = 0
    estimated_seconds: Seconds = 60.0
    deadlines: Deadlines = Deadlines()
    wants_cutout: bool = False
    """The background of its pictures is removed first, where they have one and the server has a model that does it."""
    variant: Name | None = None
    """Which of a repository's weight files: "fp16" means `*.fp16.safetensors`."""
    dtype: DType | None = None
    """Precision of the weights in memory; `None`: float32 on a CPU, bfloat16 on a GPU."""
    attention: Attention = "native"
    """What computes a transformer's attention; native in place of one that does not work on the device."""
    compile: bool = False
    """Its repeated blocks are compiled at the first run, which takes a while; results differ in the last digits."""

    def __post_init__(self) -> None:
        for word, preset in self.quality.items():
            if preset.lora is not None and preset.lora not in self.loras:
                raise ValueError(f"`quality.{word}` names the LoRA {preset.lora!r}, which is not in `loras`")

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Everything that must be locked and verified before this model is loaded; nothing for one without weights."""
        own = (Bundle(self.id, self.source),) if self.source.needs_weights else ()
        return own + tuple(Bundle(f"{self.id}+{name}", lora.source) for name, lora in self.loras.items())

    def directory(self, weights_dir: Path) -> Path:
        """The folder of this model's weights. It need not exist, and never does when it needs no weights."""
        return Bundle(self.id, self.source).directory(weights_dir)
