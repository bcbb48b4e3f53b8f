"""One entry of the model catalog, as frozen structs. No torch, no numpy: the API imports this module."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from jobs.params.base import Params, Quality
from jobs.params.image import MAX_IMAGES
from jobs.params.registry import PARAMS_OF, Modality
from pipelines.catalog.backends import LOCAL, ModelBackend, check_order
from pipelines.catalog.limits import (
    LONGEST_SIDES,
    GenerationType,
    Limits,
    Seconds,
    Side,
    Unsupported,
    size_asked,
    usual_size,
)

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds `pipelines/`; paths of shipped files start here."""

PRICE_DIGITS = 6
"""Decimals of a price, as the database keeps it."""

Stage = Literal["load", "compile", "prepare", "step", "decode", "encode", "upload"]
"""Stages of a job: load the model, compile it, prepare (encode the prompt and the inputs, and make the first step),
step, decode the latents, encode the files, upload them."""

Capability = Literal[
    "text-to-image",
    "image-to-image",  # `input_image` with `strength`
    "mask",  # repaints only what is transparent in `mask`
    "control",  # follows `control_image`, by the entry's `controlnet`
    "references",  # `limits.max_references` images; the first is `input_image` for a model without image-to-image
    "text-to-video",
    "image-to-video",
    "first-last-frame",  # really ends at `last_image`
    "motion-control",  # `input_image` moves like the film in `motion_video`; both are required without other ways
    "sound",  # a video with sound of its own; without it a model of sounds makes it apart
    "films",  # takes a film in `input_video` where others of its modality take a picture; sees it (texts)
    "pictures",  # makes vectors of pictures, too
    "words",  # finds what `classes` name in any words (segments); they are required
    "negative-prompt",
    "lyrics",  # sings `lyrics`, in `limits.max_lyrics_chars`
    "vision",  # sees the pictures of `images` (texts)
    "word-times",  # says when each word is said (transcripts)
    "phonemes",  # speaks words of `replacements` by their phonemes
    "reference-voice",  # sounds like the recording in `target_voice_path`
]
"""What a model can do; the API refuses a request that needs more."""
GENERATION_TYPES: dict[Modality, tuple[GenerationType, ...]] = {
    "image": ("text-to-image", "image-to-image"),
    "video": ("text-to-video", "image-to-video"),
}
"""What models of a modality may be asked to do, by what it is made from."""
TIMED: tuple[Modality, ...] = ("video", "sound", "music")
"""Modalities of which a request says how many seconds it wants."""
DType = Literal["float32", "bfloat16", "float16"]
Quantization = Literal["float8"]
"""Precision of the weights of the transformer's linear layers, where it is another one than that of the rest."""
Attention = Literal[
    "auto",
    "native",
    "_native_cudnn",
    "_native_efficient",
    "_native_flash",
    "_native_math",
    "flash",
    "_flash_3",
]
"""Attention backends by diffusers' names, without those that diffusers would download. "auto" chooses the fastest that
works."""
ATTENTION: tuple[Attention, ...] = get_args(Attention)

ModelId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
FolderName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")]
Steps = Annotated[int, Meta(ge=1, le=1000)]
Guidance = Annotated[float, Meta(ge=0, le=100)]
Language = Annotated[str, Meta(pattern=r"^[a-z0-9]{2,8}(-[a-z0-9]{1,8})*$", max_length=40)]


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of an entry: keyword fields only; an unknown key is an error."""


class StoredAs(Entry, frozen=True, kw_only=True):
    """Safetensors that are stored in another precision than they are published in: that of the computation.

    `atelier weights fetch` casts the files that match the shell pattern `files`, once. Tensors whose dotted name has
    one of the parts in `float32` stay as they are: diffusers computes them in float32 (`_keep_in_fp32_modules`).
    """

    files: Name
    dtype: Literal["bfloat16", "float16"]
    float32: tuple[Name, ...] = ()


class Source(Entry, frozen=True, kw_only=True):
    """Origin of the weights: one of five kinds, or nothing for a family without weights.

    - `repo` with `revision`: a hub repository at one commit. Its files must match one of `include` (empty: all files)
      and none of `exclude`; both are shell patterns in which `*` also matches `/`.
    - `url`: one file, by https. The last part of its path is the file's name.
    - `path`: a folder, absolute or relative to the weights directory.
    - `shipped`: a folder of this repository.
    - `model`: the files of that model of the catalog, which are there once for both. The loader of the catalog adds
      where they come from.

    Files of `repo` and `url` lie below the weights directory in a folder named like `Bundle.key`, some of them
    `stored_as` they are computed.
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
    model: ModelId | None = None
    stored_as: tuple[StoredAs, ...] = ()

    def __post_init__(self) -> None:
        if self.stored_as and self.repo is None and self.url is None:
            raise ValueError("`stored_as` is for files of a `repo` or `url`")
        if sum(place is not None for place in (self.repo, self.url, self.path, self.shipped)) > 1:
            raise ValueError("name one of `repo`, `url`, `path`, `shipped` and `model`")
        if (self.repo is None) != (self.revision is None):
            raise ValueError("`repo` and `revision` go together")
        if self.repo is None and (self.include or self.exclude):
            raise ValueError("`include` and `exclude` choose files of a `repo`")

    def storing(self, path: str) -> StoredAs | None:
        """Return how the file at this path is stored; `None` as it is published."""
        fits = (one for one in self.stored_as if path.endswith(".safetensors") and fnmatchcase(path, one.files))
        return next(fits, None)

    @property
    def needs_weights(self) -> bool:
        """Whether there are files to lock and verify."""
        return (self.repo or self.url or self.path or self.shipped or self.model) is not None

    @property
    def is_remote(self) -> bool:
        """Whether the files are downloaded."""
        return (self.repo or self.url) is not None


class License(Entry, frozen=True, kw_only=True):
    """The terms of the weights and where to read them.

    `name` is an SPDX id, or a similar word where SPDX has none.
    """

    name: Name
    url: Name


Sigma = Annotated[float, Meta(gt=0, le=1)]


class Schedule(Entry, frozen=True, kw_only=True):
    """The steps of a model or a LoRA that was distilled to these alone; a request for another number gets them too.

    `sigmas` are the share of noise before each step, falling from 1; after the last one there is none. With
    `stochastic` each step but the last adds new noise to what it foretells (DMD); without, it is Euler's.
    """

    sigmas: Annotated[tuple[Sigma, ...], Meta(min_length=1, max_length=100)]
    stochastic: bool = False

    def __post_init__(self) -> None:
        if list(self.sigmas) != sorted({*self.sigmas}, reverse=True):
            raise ValueError("`sigmas` must fall")


class Lora(Entry, frozen=True, kw_only=True):
    """Low-rank weights that a quality preset or a request adds to the model: `file` within `source`, `scale` times.

    They lie beside the model's own folder, in a folder named like `Bundle.key`. `scheduler` overrides values of the
    scheduler's configuration while the LoRA is on, since a LoRA for few steps is distilled on a schedule of its own;
    `schedule` replaces the scheduler.

    Of a model with one transformer for much noise and one for little (Wan2.2 A14B), `file` is for both, or for the
    first where there is a `low_noise_file` for the second.
    """

    source: Source
    file: Name
    low_noise_file: Name | None = None
    scale: float = 1.0
    scheduler: dict[str, float] = {}
    schedule: Schedule | None = None
    licence: License | None = None
    """Its own terms; `None`: those of the model."""

    def __post_init__(self) -> None:
        if self.scheduler and self.schedule is not None:
            raise ValueError("`scheduler` and `schedule` exclude each other")

    @property
    def has_steps(self) -> bool:
        """Whether it was distilled on steps of its own."""
        return bool(self.scheduler) or self.schedule is not None


class ControlNet(Entry, frozen=True, kw_only=True):
    """The network by which a model follows a control picture: `file` within `source`, of safetensors.

    It lies beside the model's own folder, in a folder named like `Bundle.key`. `config` is its configuration in the
    words of diffusers, for a file that is published without one; else it is `config.json` beside the file. `scale` is
    how closely the picture is followed unless the request says so.
    """

    source: Source
    file: Name
    config: dict[str, bool | int | float | str | list[int | str] | None] = {}
    scale: Annotated[float, Meta(gt=0, le=2)] = 0.75
    licence: License | None = None
    """Its own terms; `None`: those of the model."""


PreprocessorName = Literal["depth", "pose", "people"]
"""What finds the depths and the poses of a picture, and the people whose poses are found."""


class Preprocessor(Entry, frozen=True, kw_only=True):
    """A network that draws control pictures: a folder of transformers, with its configuration and its processor's.

    "depth" is a Depth Anything, "pose" a ViTPose of COCO's joints, and "people" an RT-DETR, without which a pose is one
    person's, in the whole picture. It lies beside the model's own folder, in a folder named like `Bundle.key`, and is
    loaded with the model, in float32.
    """

    source: Source
    licence: License | None = None
    """Its own terms; `None`: those of the model."""


class SourcePart(Entry, frozen=True, kw_only=True):
    """Files of another origin than the rest, in a folder within the model's own; see `ModelSpec.parts`."""

    source: Source
    licence: License | None = None
    """Its own terms; `None`: those of the model."""


class LoraFile(Entry, frozen=True, kw_only=True):
    """A LoRA that callers may bring to the model, which the operator has looked at: its terms.

    `noise` is which transformer it is for, of a model that has one for much and one for little; `None`: both.
    """

    licence: License
    noise: Literal["high", "low"] | None = None


class Bundle(msgspec.Struct, frozen=True):
    """Files that belong together: a model's own, or those of one LoRA. `key` names them in weights.lock.

    Their folder is named like the key, or `within` a folder of that name. Those of its folders that are `apart` are
    other bundles.
    """

    key: str
    source: Source
    within: str | None = None
    apart: tuple[str, ...] = ()

    def directory(self, weights_dir: Path) -> Path:
        """Return the folder of these files, which need not exist."""
        if self.source.shipped is not None:
            return CHECKOUT / self.source.shipped
        if self.source.path is not None:
            return weights_dir / self.source.path
        return weights_dir / self.key if self.within is None else weights_dir / self.key.partition("+")[0] / self.within


class Scope(Entry, frozen=True, kw_only=True):
    """What a demo model can make, for the warning to a prompt that asks for more.

    - `check`: a function as `module:function`; of a prompt it returns what the model cannot make, as sentences without
      their subject, and nothing for a prompt within the scope.
    - `makes`: what it makes, in words that follow "It makes".
    - `alternative`: the id of a model of the catalog that makes more.
    """

    check: Annotated[str, Meta(pattern=r"^[\w.]+:\w+$")]
    makes: Name
    alternative: ModelId


class Defaults(Entry, frozen=True, kw_only=True):
    """Values for fields that the caller omits; `None` leaves a field to the pipeline."""

    width: Side = 1024
    height: Side = 1024
    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    strength: Annotated[float, Meta(gt=0, le=1)] | None = None
    fps: Annotated[int, Meta(ge=1, le=120)] | None = None


class StepCache(Entry, frozen=True, kw_only=True):
    """How a preset reuses what earlier steps computed: faster, and the result differs.

    - "first-block": a step whose first block has changed by less than `threshold` since the last whole step reuses what
      the later blocks did in that step.
    - "magcache" (MagCache): blocks are left out as long as the error that `ratios` foretell, added up since the last
      whole step, stays below `threshold`, for three steps at most and never in the first fifth. `ratios` are those of
      this checkpoint, one for each step of the run that they were measured in, and are spread over `steps`; a run that
      starts from an image has those of its steps.
    - "taylorseer" (TaylorSeer): from the fourth step on only each `interval`-th step is whole, and the transformer's
      output of the others is extrapolated.
    """

    kind: Literal["first-block", "magcache", "taylorseer"]
    threshold: float
    ratios: tuple[float, ...]
    interval: int
    steps: int | None

    def of_last(self, share: float) -> "StepCache":
        """Return the reuse in a run of the last steps alone, a share (0 to 1) of all, with the ratios of those."""
        count = max(1, round(share * len(self.ratios)))
        steps = None if self.steps is None else max(1, int(share * self.steps))
        return msgspec.structs.replace(self, ratios=self.ratios[-count:], steps=steps)


class Preset(Entry, frozen=True, kw_only=True):
    """Values of one `quality` word; `None` keeps the model's default. `lora` is a key of the model's `loras`.

    `width` and `height` are the size of a request that names none.

    `quantization` as of `ModelSpec`: such a preset has weights of its own in memory, of `vram_bytes`.

    `cache` with `cache_threshold`, `cache_ratios` and `cache_interval` is as `StepCache` describes.
    """

    num_inference_steps: Steps | None = None
    guidance_scale: Guidance | None = None
    width: Side | None = None
    height: Side | None = None
    lora: Name | None = None
    quantization: Quantization | None = None
    vram_bytes: Annotated[int, Meta(ge=0)] | None = None
    cache: Literal["first-block", "magcache", "taylorseer"] | None = None
    cache_threshold: Annotated[float, Meta(gt=0, le=1)] = 0.05
    cache_ratios: Annotated[tuple[Annotated[float, Meta(gt=0)], ...], Meta(max_length=1000)] = ()
    cache_interval: Annotated[int, Meta(ge=2, le=100)] = 5

    def __post_init__(self) -> None:
        if (self.width is None) != (self.height is None):
            raise ValueError("`width` and `height` go together")
        if (self.cache == "magcache") != bool(self.cache_ratios):
            raise ValueError('`cache = "magcache"` and `cache_ratios` go together')
        if self.quantization is not None and self.lora is not None:
            raise ValueError("`quantization` and `lora` exclude each other")
        if self.quantization is None and self.vram_bytes is not None:
            raise ValueError("`vram_bytes` of a preset is for one with `quantization`")

    def reuse(self, steps: int | None) -> StepCache | None:
        """Return how a run of so many steps reuses them, if it does; `None` is the number of `cache_ratios`."""
        if self.cache is None:
            return None
        return StepCache(
            kind=self.cache,
            threshold=self.cache_threshold,
            ratios=self.cache_ratios,
            interval=self.cache_interval,
            steps=steps,
        )


class BatchLimits(Entry, frozen=True, kw_only=True):
    """How many images are computed at once: at most `images` of one job, and no more than have `pixels` together.

    `jobs` is how many jobs of one image share a run, of whichever callers: those that follow one another in the fair
    order and are equal but for prompt and seed. Each image is the one that would be made alone, up to roundings. Large
    images fill a GPU by themselves, which `pixels` is for.
    """

    images: Annotated[int, Meta(ge=1, le=MAX_IMAGES)] = 1
    jobs: Annotated[int, Meta(ge=1, le=MAX_IMAGES)] = 1
    pixels: Annotated[int, Meta(ge=1)] | None = None


class Deadlines(Entry, frozen=True, kw_only=True):
    """Seconds that each stage may take before the watchdog ends it.

    Every progress report restarts `prepare` and `step`.
    """

    load: Seconds = 600.0
    compile: Seconds = 600.0
    prepare: Seconds = 180.0
    step: Seconds = 120.0
    decode: Seconds = 120.0
    encode: Seconds = 60.0
    upload: Seconds = 180.0

    def of(self, stage: Stage) -> float:
        """Return the seconds for `stage`."""
        return float(getattr(self, stage))


class Rates(Entry, frozen=True, kw_only=True):
    """Further parts of a job's price, in US dollars, beside `price_usd` of each output; what is zero is left out.

    - `per_second`: of each second of a video, a sound or music; `sound_per_second`: of each one of a video that is made
      with sound, beside it.
    - `per_megapixel_step`: of a million pixels of an image in one denoising step.
    - `per_gpu_second`: of the time on the device. A submit reserves it for `max_gpu_seconds`; a job that takes less
      costs less, and none costs more.
    """

    per_second: Annotated[float, Meta(ge=0)] = 0.0
    sound_per_second: Annotated[float, Meta(ge=0)] = 0.0
    per_megapixel_step: Annotated[float, Meta(ge=0)] = 0.0
    per_gpu_second: Annotated[float, Meta(ge=0)] = 0.0
    max_gpu_seconds: Seconds | None = None

    def __post_init__(self) -> None:
        if (self.per_gpu_second > 0) != (self.max_gpu_seconds is not None):
            raise ValueError("`per_gpu_second` and `max_gpu_seconds` go together")


class ModelSpec(Entry, frozen=True, kw_only=True):
    """One model: its weights, its capabilities and its cost.

    - `family`: a key of `pipelines.runtime.registry.FAMILIES`, or `module:Class` for a pipeline from another package;
      "remote" where only backends make it.
    - `aliases`: further names per dialect.
    - `price_usd`: the price of one output, whatever its size; `rates` are further parts of the price.
    - `vram_bytes`, `estimated_seconds`: estimates for the intended hardware, until a worker has measured them.
    - `estimated_on`: the hardware that `estimated_seconds` is for; `is_measured` where it was measured there by
      `python -m benchmarks.gpu` rather than taken from what others have published.
    """

    id: ModelId
    title: Name
    family: Name
    modality: Modality
    tier: Literal["demo", "standard"] = "standard"
    source: Source = Source()
    parts: dict[FolderName, SourcePart] = {}
    """What has another origin than `source`, by its folder within the model's own: a family whose files are published
    in several repositories. Without `source` all of them."""
    licence: License
    aliases: dict[str, tuple[Name, ...]] = {}
    capabilities: tuple[Capability, ...] = ()
    languages: tuple[Language, ...] = ()
    """The languages that it speaks; empty leaves the check to the pipeline."""
    voice: Name | None = None
    """Name of its own voice, used where the request has no reference voice; `None` if it has none."""
    voices: dict[Name, Name] = {}
    """Several voices of its own, by the name that a request has in `voice`, each with a title; the first is the default
    one."""
    caveat: Name | None = None
    """What to mind about all that it makes, a sentence for the warnings of each job."""
    scope: Scope | None = None
    vocabulary: dict[Name, tuple[Name, ...]] = {}
    """What a demo model makes, by a word of which a prompt must name one, each with further words for the same; empty:
    any prompt will do (`pipelines.vocabulary`)."""
    templates: tuple[Name, ...] = ()
    """The prompt templates that a model of texts answers, where it answers nothing else; empty: it answers anything."""
    limits: Limits = Limits()
    unsupported: Unsupported = Unsupported()
    defaults: Defaults = Defaults()
    quality: dict[Quality, Preset] = {}
    schedule: Schedule | None = None
    """The steps of a distilled model; `None`: those of its scheduler. `diffusers-video` only."""
    loras: dict[ModelId, Lora] = {}
    controlnet: ControlNet | None = None
    preprocessors: dict[PreprocessorName, Preprocessor] = {}
    lora_files: dict[Sha256, LoraFile] = {}
    """LoRAs that callers may bring as files, by the sha256 of the file. Families of diffusers only."""
    price_usd: Annotated[float, Meta(ge=0)] = 0.0
    rates: Rates = Rates()
    vram_bytes: Annotated[int, Meta(ge=0)] = 0
    estimated_seconds: Seconds = 60.0
    estimated_on: Name | None = None
    is_measured: bool = False
    deadlines: Deadlines = Deadlines()
    wants_cutout: bool = False
    """Whether the engine removes the background of its images first, where they have one and the server has a model for
    it."""
    variant: Name | None = None
    """Which of a repository's weight files to load: "fp16" means `*.fp16.safetensors`."""
    dtype: DType | None = None
    """Precision of the weights in memory; `None` means float32 on a CPU and bfloat16 on a GPU."""
    attention: Attention = "native"
    """Attention backend of the transformer; native replaces one that does not work on the device."""
    compile: bool = False
    """Whether to compile the repeated blocks at the first run, which takes a while; results differ in the last
    digits."""
    offload_blocks: bool = False
    """Whether the blocks of transformers and text encoders stay in host memory and come to the device one at a time,
    for a GPU that is smaller than the model; every step then moves all of them. Families of diffusers only."""
    quantization: Quantization | None = None
    """Precision of the linear layers in the transformer's blocks; `None` means that of the rest. Families of diffusers
    only; results differ."""
    cuda_graphs: bool = False
    """Whether a GPU takes each step of the UNet as one CUDA graph, recorded in the second step of each size; the
    results are the same. Pipelines of diffusers with a UNet only."""
    gpus: Annotated[int, Meta(ge=1, le=16)] = 1
    """GPUs that compute one video together, by context parallel, where a worker has as many (`ATELIER_PEER_DEVICES`);
    elsewhere one computes it. Each holds the whole model. Wan's models only."""
    batch: BatchLimits = BatchLimits()
    """How many images are computed at once, of one job and of several. `diffusers-image` only."""
    backends: tuple[ModelBackend, ...] = ()
    """Who makes it, the first choice first; empty: the servers of this installation alone."""

    def __post_init__(self) -> None:
        check_order(self.backends, self.family, needs_weights=self.source.needs_weights or bool(self.parts))
        if self.parts and self.source.needs_weights and self.source.repo is None:
            raise ValueError("`parts` go with a `repo` or without a `source`")
        if self.compile and self.offload_blocks:
            raise ValueError("`compile` and `offload_blocks` exclude each other")
        if self.cuda_graphs and (self.compile or self.offload_blocks):
            raise ValueError("`cuda_graphs` goes with neither `compile` nor `offload_blocks`")
        if self.limits.clip_seconds is not None and not self._begins_with_a_frame:
            needs = "`limits.clip_seconds` needs the capability `image-to-video`, or `motion-control` alone"
            raise ValueError(f"{needs}: clips begin with a frame")
        if self.gpus > 1 and self.modality != "video":
            raise ValueError("`gpus` is for videos")
        if self.gpus > 1 and (self.loras or self.lora_files):
            raise ValueError("`gpus` excludes `loras` and `lora_files`")
        if self.gpus > 1 and self._differs_between_gpus:
            others = "`compile`, `offload_blocks`, `quantization`, presets with `cache`, and `attention`"
            raise ValueError(f"`gpus` excludes {others}")
        if ("control" in self.capabilities) != (self.controlnet is not None):
            raise ValueError("the capability `control` and `controlnet` go together")
        if self.controlnet is not None and (
            self.quantization
            or self.offload_blocks
            or self.cuda_graphs
            or any(preset.cache or preset.quantization for preset in self.quality.values())
        ):
            others = "`quantization`, `offload_blocks`, `cuda_graphs`, and presets with `cache` or `quantization`"
            raise ValueError(f"`controlnet` excludes {others}")
        if self.preprocessors and self.controlnet is None and "motion-control" not in self.capabilities:
            raise ValueError(
                "`preprocessors` draw what a `controlnet` follows, or `motion-control`; add it, or remove them"
            )
        if "depth" in self.preprocessors and self.controlnet is None:
            raise ValueError("`preprocessors.depth` is for a `controlnet`; remove it")
        if "people" in self.preprocessors and "pose" not in self.preprocessors:
            raise ValueError("`preprocessors.people` is for `preprocessors.pose`; add it")
        beside = {*self.preprocessors, *self.parts} | ({"controlnet"} if self.controlnet is not None else set())
        if taken := sorted(beside & self.loras.keys()):
            raise ValueError(f"a LoRA must have another name than {taken[0]!r}, which is beside it")
        if self.quantization is not None and self.loras:
            raise ValueError("`quantization` and `loras` exclude each other")
        if self.lora_files and (self.quantization or self.compile or self.offload_blocks or self.cuda_graphs):
            raise ValueError(
                "`lora_files` goes with none of `quantization`, `compile`, `offload_blocks` and `cuda_graphs`"
            )
        if self.templates and self.modality != "text":
            raise ValueError("`templates` is for texts")
        if self.rates.per_second > 0 and self.modality not in TIMED:
            raise ValueError("`rates.per_second` is for videos, sounds and music")
        if self.rates.sound_per_second > 0 and "sound" not in self.capabilities:
            raise ValueError("`rates.sound_per_second` needs the capability `sound`")
        if self.rates.per_megapixel_step > 0 and (
            self.modality != "image" or self.defaults.num_inference_steps is None
        ):
            raise ValueError("`rates.per_megapixel_step` is for images, and takes `defaults.num_inference_steps`")
        takes_pictures = {"references", f"image-to-{self.modality}", "motion-control"} & {*self.capabilities}
        for generation_type, (_, most) in self.limits.inputs.items():
            is_able = generation_type in self.capabilities or generation_type == "image-to-image"
            if generation_type not in GENERATION_TYPES.get(self.modality, ()) or not is_able:
                raise ValueError(f"`limits.inputs` has {generation_type!r}, which this model does not do")
            if most > 0 and not takes_pictures:
                raise ValueError(f"`limits.inputs.{generation_type}` needs a capability that takes pictures")
        for word, preset in self.quality.items():
            if preset.lora is not None and preset.lora not in self.loras:
                raise ValueError(f"`quality.{word}` names the LoRA {preset.lora!r}, which is not in `loras`")

    @property
    def _begins_with_a_frame(self) -> bool:
        """Whether all its films can go on from a frame: also those that are of words alone, or follow no film."""
        able = {"image-to-video", "motion-control", "text-to-video"} & {*self.capabilities}
        return "image-to-video" in able or able == {"motion-control"}

    @property
    def _differs_between_gpus(self) -> bool:
        """Whether processes with parts of the tokens could come to different decisions, and wait for one another."""
        presets = self.quality.values()
        has_choice = any(preset.cache is not None or preset.quantization is not None for preset in presets)
        is_quantized = self.quantization is not None
        return self.compile or self.offload_blocks or is_quantized or has_choice or self.attention != "native"

    def price_of(self, params: Params) -> float:
        """Return what a job with these parameters costs at most, in US dollars, and exactly unless it is metered."""
        rates, outputs = self.rates, getattr(params, "num_images", 1)
        price = float(self.price_usd * outputs)
        if rates.per_second > 0 or rates.sound_per_second > 0:
            each = rates.per_second + (rates.sound_per_second if self.makes_sound(params) else 0.0)
            price += each * self.limits.nearest_seconds(getattr(params, "duration_seconds", 0.0))
        if rates.per_megapixel_step > 0:
            width, height = self.size_of(params)
            megapixels = width * height / 1e6
            price += rates.per_megapixel_step * megapixels * (self.steps_of(params) or 0) * outputs
        return round(price + rates.per_gpu_second * (rates.max_gpu_seconds or 0.0), PRICE_DIGITS)

    @property
    def has_sound_apart(self) -> bool:
        """Whether a video with sound is made of a silent one and of what a model of sounds makes beside it."""
        is_silent = self.modality == "video" and "sound" not in self.capabilities
        return is_silent and self.unsupported.sound == "refuse"

    def makes_sound(self, params: object) -> bool:
        """Return whether a job with these parameters has a video with sound: asked for, of a model that makes it."""
        return bool(getattr(params, "sound", False)) and "sound" in self.capabilities

    def metered_price(self, params: Params, gpu_seconds: float) -> float | None:
        """Return what a job costs that took so long on the device; None where that does not matter."""
        rates = self.rates
        if rates.max_gpu_seconds is None:
            return None
        saved = max(0.0, rates.max_gpu_seconds - gpu_seconds)
        return round(self.price_of(params) - rates.per_gpu_second * saved, PRICE_DIGITS)

    def steps_of(self, params: object) -> int | None:
        """Return the denoising steps of a request: its own, its preset's, the model's; None is the pipeline's own.

        A schedule has as many as it has.
        """
        schedule = self.schedule_of(params)
        if schedule is not None:
            return len(schedule.sigmas)
        preset = self.quality.get(getattr(params, "quality", "standard"), Preset())
        asked = getattr(params, "num_inference_steps", None)
        steps = (asked, preset.num_inference_steps, self.defaults.num_inference_steps)
        return next((value for value in steps if value is not None), None)

    def schedule_of(self, params: object) -> Schedule | None:
        """Return the schedule of a request: that of its first LoRA with steps of its own, else the model's."""
        preset = self.quality.get(getattr(params, "quality", "standard"), Preset())
        names = (preset.lora, *(one.lora for one in getattr(params, "loras", ())))
        loras = (self.loras[name] for name in names if name in self.loras)
        found = next((lora for lora in loras if lora.has_steps), None)
        return self.schedule if found is None else found.schedule

    def size_of(self, params: object) -> tuple[int, int]:
        """Return width and height of a request: its own, its preset's where it names none; 0 without a size.

        A resolution is the longest side, in the same shape.
        """
        width, height = size_asked(params)
        preset = self.quality.get(getattr(params, "quality", "standard"), Preset())
        usual = usual_size(PARAMS_OF[self.modality])
        if preset.width is not None and preset.height is not None and (width, height) == usual:
            width, height = preset.width, preset.height
        resolution = getattr(params, "resolution", None)
        if resolution is None:
            return width, height
        scale = LONGEST_SIDES[self.limits.nearest_resolution(resolution)] / max(width, height)
        step = self.limits.side_multiple or 1
        return max(step, round(width * scale / step) * step), max(step, round(height * scale / step) * step)

    @property
    def order(self) -> tuple[str, ...]:
        """The names of those that make it, the first choice first; "local" is the servers of this installation."""
        return tuple(place.name for place in self.backends) or (LOCAL,)

    @property
    def is_local(self) -> bool:
        """Whether a server of this installation may make it."""
        return LOCAL in self.order

    def place_of(self, name: str) -> ModelBackend | None:
        """Return the place of a backend in the order; None where it has none."""
        return next((place for place in self.backends if place.name == name), None)

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """All files to lock and verify before this model is loaded; empty for a model without weights."""
        own = (self._own,) if self.source.needs_weights else ()
        parts = tuple(Bundle(f"{self._own.key}+{name}", each.source, within=name) for name, each in self.parts.items())
        others = (Bundle(f"{self.id}+{name}", added.source) for name, added in self.additions.items())
        return own + parts + tuple(others)

    @property
    def _own(self) -> Bundle:
        """The files of `source`, which may be another model's."""
        return Bundle(self.source.model or self.id, self.source, apart=tuple(self.parts))

    @property
    def is_fetched(self) -> bool:
        """Whether any of its files are downloaded."""
        return any(bundle.source.is_remote for bundle in self.bundles)

    @property
    def additions(self) -> dict[str, "Lora | ControlNet | Preprocessor"]:
        """What is loaded beside the model's own weights, by the name in the keys of the bundles."""
        control = {} if self.controlnet is None else {"controlnet": self.controlnet}
        preprocessors = {str(name): each for name, each in self.preprocessors.items()}
        return {**control, **preprocessors, **self.loras}

    def directory(self, weights_dir: Path) -> Path:
        """Return the folder of this model's weights, which need not exist."""
        return self._own.directory(weights_dir)
