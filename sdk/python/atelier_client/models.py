"""The answers of the API.

Written by `scripts/sdk_models.py`: change the API, not this file.
"""

from datetime import datetime
from typing import Any

import msgspec


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The reason why a job waits: `code` is one of `Reason`, `message` a sentence."""

    code: str
    message: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted job. Poll `status_url`, or follow `events_url`; both are paths, as callers reach them.

    `waiting_for` says that no server serves its model at present, so that it waits for one.
    """

    job_id: str
    status: str
    modality: str
    model: str
    seed: int | None
    status_url: str
    events_url: str
    created_at: datetime
    waiting_for: Waiting | None = None


class AcceptedJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Accepted jobs, in the order of the request."""

    jobs: list[Accepted]


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether jobs of the tenant are started: `paused_at` is since when they are not, null while they are."""

    paused_at: datetime | None


class PreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A small copy of an output: a stable link and what is behind it; sides are in pixels."""

    name: str
    url: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None


class OutputAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One output: a stable link and what is behind it; `name` is the file name that the caller chose.

    `thumbnail_url` is the link of the preview of that name. Of an image with a palette, `palette_distance` is the mean
    distance of its pixels to the nearest color of it (CIE76; 2.3 is just visible), and `palette_distance_before` what
    it was before the colors were moved.

    Of a text, `text` is all of it (null above 100,000 characters: then it is in the file alone), `input_tokens` what
    the model has read and `output_tokens` what it has written; `finish_reason` is `stop` where it ended by itself or at
    a stop sequence, `length` where `max_tokens` ended it. Of a transcript, `language` is the code of what is spoken.
    Of an enlarged picture or film, and of a film with more frames, `method` is what drew it. With `enhance_prompt`,
    `revised_prompt` is what the text model made of the prompt.
    """

    url: str
    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    name: str | None = None
    thumbnail_url: str | None = None
    previews: list[PreviewAnswer] = []
    palette_distance: float | None = None
    palette_distance_before: float | None = None
    text: str | None = None
    language: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    finish_reason: str | None = None
    method: str | None = None
    revised_prompt: str | None = None


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed: a stable code and a sentence."""

    code: str
    message: str


class JobBackend(msgspec.Struct, frozen=True, kw_only=True):
    """Who has a job or made it, and why.

    `name` is "local" for a server of this installation, which is also its `kind` then. `reason` is `primary` for the
    first of the model's order, `primary_down` where none before it was up, `waited` where the job had waited as long as
    the order says, and `pinned` for the server that the job asks for.
    """

    name: str
    kind: str
    reason: str


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A job as its owner sees it (contract C7-C11 and the native extras). `progress` is 0 to 1, times are UTC.

    `price_usd` is what it costs at most, and is reserved until its end; `cost_usd` is what it did cost, 0 unless it is
    completed, and `credits` is the same in credits. `gpu_seconds` is the time that it computed, `load_seconds` that in
    which its model was loaded, of all attempts.

    `balance_remaining_usd` is what the key may still spend on further jobs: of its tenant's budget and of its own,
    without what completed jobs have cost and what is reserved for unfinished ones. It is null without a budget.

    `outputs_removed_at` is the time at which the outputs of a completed job were removed, after their retention. A
    failed job that was redriven names the new job in `redriven_as`; that names it in `redrive_of`.

    `backend` is who has the job or made it, and why; null before it was started.
    """

    job_id: str
    status: str
    modality: str
    model: str
    progress: float
    stage: str | None
    queue_position: int | str | None
    waiting_for: Waiting | None = None
    estimated_seconds: float | None
    result_url: str | None
    outputs: list[OutputAnswer]
    warnings: list[str]
    error: JobError | None
    processing_time_seconds: float | None
    balance_remaining_usd: float | None
    server_id: str | None
    seed: int | None
    attempt: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    outputs_removed_at: datetime | None = None
    redrive_of: str | None = None
    redriven_as: str | None = None
    labels: dict[str, str] = {}
    price_usd: float | None = None
    cost_usd: float = 0.0
    credits: float = 0.0
    gpu_seconds: float = 0.0
    load_seconds: float = 0.0
    backend: JobBackend | None = None


class ListedJob(StatusAnswer, frozen=True, kw_only=True):
    """A job of a list: its status answer, and what it was asked for in a line.

    `title` is the beginning of its prompt or text, else the name of its first file; null where it has neither, and
    once the retention of prompts has removed it. It is in no event and in no webhook.
    """

    title: str | None = None


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs, newest first; `next_cursor` is null on the last page."""

    jobs: list[ListedJob]
    next_cursor: str | None


class WaitReason(msgspec.Struct, frozen=True, kw_only=True):
    """What a job waits for, in the words of an API that may be newer than the client."""

    code: str
    message: str


class ProgressEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that a client reads from any event of a job's stream.

    The API sends a status answer, a `JobEvent` or a `DeletedEvent`; each has `status`, and not all have the others.
    `progress` is 0 to 1.
    """

    status: str
    progress: float = 0.0
    stage: str | None = None
    queue_position: int | str | None = None
    waiting_for: WaitReason | None = None


class StepPreview(msgspec.Struct, frozen=True, kw_only=True):
    """How an image or a film looks after `step` of `of` steps: a sketch, and not a small copy of what it will be.

    `image` is a `data:` URL of at most 12,000 characters, a WebP of at most 256 pixels on its longer side. Of a text it
    is left out, and `text` is all that is written after token `step`, of at most `of`.
    """

    step: int
    of: int
    image: str = ""
    text: str | None = None


class JobRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a job was asked for, and by whom.

    `tenant` is the name of the tenant, by which the operator's commands know it; null in answers of an older API.
    `params` are the fields of the submit, with the values of those that were left out; null once the retention of
    prompts has removed them. `server_id` is the server that was asked for. `trace_id` is in the service's log lines
    about the job, where traces are on.
    """

    job_id: str
    tenant_id: str
    modality: str
    model: str
    params: dict[str, Any] | None
    server_id: str | None
    priority: int
    callback_url: str | None
    deadline_at: datetime
    trace_id: str | None
    tenant: str | None = None


class SecondsRange(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds within which half of such jobs are done, and 95 % of them."""

    p50_seconds: float
    p95_seconds: float


class EstimateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a job with these fields would take and cost now; nothing was submitted.

    `total` is from the submit to the end: the `wait` for a server, the `load` of the model where it is not in memory,
    and the `run`. `wait` and `total` are null while no server may start it, and `waiting_for` says why. `jobs_ahead`
    are those that would go first, counted to 1,000 of each model. `server_id` is a server that can take it at once,
    else null; `device` is what it would run on.

    `basis` and `confidence` are about `run`, and `sample_size` is the number of jobs that it follows from. `price_usd`
    is what a submit would reserve, and `credits` the same in credits.
    """

    modality: str
    model: str
    wait: SecondsRange | None
    load: SecondsRange
    run: SecondsRange
    total: SecondsRange | None
    basis: str
    confidence: str
    sample_size: int
    jobs_ahead: int
    waiting_for: Waiting | None
    model_loaded: bool
    server_id: str | None
    device: str | None
    price_usd: float
    credits: float
    balance_remaining_usd: float | None


class ManifestInput(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a job was computed from: the clean copy of what its request names."""

    name: str
    media_type: str
    bytes: int
    sha256: str


class ManifestOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a job has made; of a text with the tokens that the model has read and written."""

    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class BundleWeights(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a model or of a LoRA as `weights.lock` knows them: where they are from, and the sha256 of each."""

    bundle: str
    repo: str | None = None
    revision: str | None = None
    url: str | None = None
    files: dict[str, str] = {}


class Reproduced(msgspec.Struct, frozen=True, kw_only=True):
    """The job that this one makes again, and whether the files of both are the same, byte for byte.

    Null where one of the two has no files, not yet or not any more.
    """

    job_id: str
    identical: bool | None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a completed job was made of, and with.

    `params` are the fields of its submit, with the values of those that were left out; null once the retention of
    prompts has removed them. `revised_prompt` is what a text model made of the prompt, with `enhance_prompt`. `inputs`
    and `outputs` are empty once those were removed. `environment_sha256` names the environment: model, weights,
    settings of the catalog, versions and device. Equal fields, inputs and environments make equal pixels. What no
    environment was written for, since an earlier version has completed it, has no weights and no versions. `backend` is
    who made it, and why. `timings` are the seconds of the phases of the attempt that
    completed it, and `gpu_seconds` and `load_seconds` those of all attempts. `jobs_in_run` is how many jobs of one
    image were computed in one run with it, itself included: above 1 the seconds on the device are this job's part of
    the run, and the pixels of the same job computed alone may differ by a level of 255.
    """

    version: int = 1
    job_id: str
    tenant_id: str
    modality: str
    model: str
    revision: str | None
    seed: int | None
    params: dict[str, Any] | None
    revised_prompt: str | None = None
    inputs: list[ManifestInput]
    outputs: list[ManifestOutput]
    warnings: list[str]
    environment_sha256: str | None
    weights: list[BundleWeights]
    versions: dict[str, str]
    device: str | None
    backend: JobBackend | None
    server_id: str | None
    attempt: int
    timings: dict[str, float]
    gpu_seconds: float
    load_seconds: float
    jobs_in_run: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    reproduces: Reproduced | None = None


class ChainStepAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A step: its name, the steps whose outputs it still waits for, and its job; null once that was deleted."""

    name: str
    waits_for: list[str]
    job: StatusAnswer | None


class ChainAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A chain as its owner sees it.

    `progress` is the mean of its jobs. `outputs` are those of its last step. `failed_step` and `error` say which step
    ended it and why, once it has failed. `price_usd` is what it costs at most, the sum of its jobs, and `cost_usd` what
    it has cost so far. The place of a job in the queue is in the status of the job alone. `warnings` are about what was
    asked for as one, and are made as several.
    """

    chain_id: str
    status: str
    progress: float
    steps: list[ChainStepAnswer]
    failed_step: str | None
    error: JobError | None
    result_url: str | None
    outputs: list[OutputAnswer]
    price_usd: float
    cost_usd: float
    created_at: datetime
    finished_at: datetime | None
    warnings: list[str] = []


class ChainPage(msgspec.Struct, frozen=True, kw_only=True):
    """Chains, newest first; `next_cursor` is null on the last page."""

    chains: list[ChainAnswer]
    next_cursor: str | None


class StepEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a chain, and what its job would take and cost by itself."""

    name: str
    estimate: EstimateAnswer


class ChainEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a chain would take and cost now; nothing was submitted.

    `total` is from the submit to the end of its last step, of steps that run one after the other: the wait of the first
    one, the load of each model, and all runs. It is null while no server may start one of them. `price_usd` is what a
    submit would reserve, the sum of its jobs, and `credits` the same in credits.
    """

    steps: list[StepEstimate]
    total: SecondsRange | None
    price_usd: float
    credits: float
    balance_remaining_usd: float | None
    warnings: list[str] = []


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A link for an upload, whose file is still to be sent.

    Send the file as the body of a `method` request to `upload_url`, with `headers`, before `expires_at`. Then use
    `input_id` in any field that takes a URL.
    """

    input_id: str
    uploaded: bool = False
    upload_url: str
    method: str = "PUT"
    headers: dict[str, str] = {}
    expires_at: datetime
    max_bytes: int


class StoredUpload(msgspec.Struct, frozen=True, kw_only=True):
    """A file that came with the request and is stored."""

    input_id: str
    uploaded: bool = True
    media_type: str
    bytes: int
    max_bytes: int


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
    kind: str
    model: str | None = None
    voice: str | None = None
    languages: list[str] = []
    media_type: str | None = None
    bytes: int | None = None
    preview_url: str | None = None
    created_at: datetime | None = None


class VoiceList(msgspec.Struct, frozen=True, kw_only=True):
    """Your voices, newest first, then those of models, all on one page."""

    voices: list[VoiceAnswer]


class ProductLink(msgspec.Struct, frozen=True, kw_only=True):
    """A product of the tenant's shop, or a variant, that an item belongs to, and its place there."""

    product_id: str | None = None
    variant_id: str | None = None
    position: int = 0


class UploadLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where the file of a new item is to be sent: the body of a `method` request to `url`, before `expires_at`."""

    url: str
    method: str = "PUT"
    headers: dict[str, str] = {}
    expires_at: datetime
    max_bytes: int


class MediaItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item of the media library. Its `media_id` can stand in every field that takes a URL of media.

    `waiting`: the file is to be sent to `upload`, or a URL is fetched. `failed`: it has no usable file, and `problem`
    says why. `url` is null until it is `ready`; it stays the same, needs no key, and redirects to the object store.
    `optimized_url` is the copy that a page should show: the `web` preview, or the file itself where that is small.
    Anyone may open `public_url`, for as long as the item is published.
    """

    media_id: str
    kind: str | None
    status: str
    problem: JobError | None
    filename: str
    description: str | None
    media_type: str | None
    bytes: int | None
    sha256: str | None
    width: int | None
    height: int | None
    duration_seconds: float | None
    url: str | None
    thumbnail_url: str | None
    optimized_url: str | None
    previews: list[PreviewAnswer]
    public_url: str | None
    job_id: str | None
    output_number: int | None
    prompt: str | None
    model: str | None
    seed: int | None
    transcript: Any
    tags: list[str]
    labels: dict[str, str]
    links: list[ProductLink]
    source: str
    temporary: bool
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None
    archived_at: datetime | None
    upload: UploadLink | None = None


class MediaPage(msgspec.Struct, frozen=True, kw_only=True):
    """Items of the media library; `next_cursor` is null on the last page."""

    media: list[MediaItem]
    next_cursor: str | None


class FoundMedia(msgspec.Struct, frozen=True, kw_only=True):
    """An item that a search has found; `similarity` is at most 1, and of words in the item above 0."""

    similarity: float
    media: MediaItem


class MediaMatches(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has found, best first; `next_cursor` is null on the last page."""

    results: list[FoundMedia]
    next_cursor: str | None


class ModelFilms(msgspec.Struct, frozen=True, kw_only=True):
    """What a model accepts of the films that it is given; without `types` all that are read."""

    types: list[str] = []
    max_bytes: int = 100000000
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
    native_sizes: list[tuple[int, int]]
    max_references: int
    max_seconds: float
    min_voice_seconds: float
    min_seconds: float = 0.1
    durations: list[float] = []
    input_types: list[str] = []
    max_input_bytes: int | None = None
    resolutions: list[str] = []
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


class ModelDefaults(msgspec.Struct, frozen=True, kw_only=True):
    """The model's values of fields that a request leaves out, and its frames per second; null is the pipeline's."""

    num_inference_steps: int | None
    guidance_scale: float | None
    strength: float | None
    fps: int | None


class ModelPreset(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a value of `quality`; null is the model's default. The size is that of a request without one."""

    num_inference_steps: int | None
    guidance_scale: float | None
    width: int | None = None
    height: int | None = None


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
    modality: str
    tier: str
    available: bool
    default: bool
    capabilities: list[str]
    languages: list[str]
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
    vocabulary: list[str] = []
    templates: list[str] = []
    loras: dict[str, ModelLicense] = {}
    takes_lora_files: bool = False


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Every model of the catalog, in its order."""

    models: list[ModelAnswer]


class ResidentModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a server's memory, with the bytes of its weights.

    `where` is `device` or `host`, the memory that holds them. A newer worker may report other values. `warnings` say
    where it computes otherwise than it should, on the CPU for example. `quantization` is that of weights that only some
    presets use; the model may be there a second time.
    """

    id: str
    bytes: int
    where: str
    pinned: bool = False
    warnings: list[str] = []
    quantization: str | None = None


class BackendState(msgspec.Struct, frozen=True, kw_only=True):
    """A remote backend, and its circuit breaker.

    `circuit` is `closed` while it gets jobs, `open` while it gets none, and `half_open` while it gets one to show
    whether it is well. `problem` is why it is open, in one word; `failures` counts those in a row.
    """

    name: str
    kind: str
    circuit: str
    problem: str | None = None
    failures: int = 0


class ServerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU server, or a remote `backend`. Memory is bytes; `heartbeat_age_seconds` is the age of its last heartbeat.

    `state` is what the server reports while it is `alive` (idle, busy, draining, drained, store_away, clock_skewed,
    backend_away), else `offline`; `desired` is what an operator asked of it. `problem` says why the object store is
    away, in one word: its own code, such as NoSuchBucket, or unreachable. `resident` are the models on the device,
    `models` those in any memory. `current_job` is shown to admins only. A `dedicated` server takes only jobs that ask
    for it.
    """

    server_id: str
    alive: bool
    state: str
    problem: str | None = None
    desired: str
    busy: bool
    current_job: str | None
    dedicated: bool
    device: str
    memory_total: int
    memory_used: int
    serves: list[str]
    resident: list[str]
    models: list[ResidentModel]
    versions: dict[str, str]
    started_at: datetime
    heartbeat_age_seconds: float
    backend: BackendState | None = None


class StoredBytes(msgspec.Struct, frozen=True, kw_only=True):
    """What the service stores, in bytes. `store` and `objects` are as of `measured_at`, null before the first time.

    `store_free` is the free space of the disk of a store that is a folder; null for S3.
    """

    database: int
    store: int | None
    objects: int | None
    store_free: int | None
    measured_at: datetime | None


class ServerList(msgspec.Struct, frozen=True, kw_only=True):
    """Every server that was registered and not removed, by name; `stored` is shown to admins only."""

    servers: list[ServerAnswer]
    stored: StoredBytes | None = None


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its owner sees it. `valid` until it is revoked or expires; `last_used_at` is exact to a minute."""

    key_id: str
    name: str
    tenant: str
    scopes: list[str]
    priority_ceiling: int
    valid: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    budget_usd: float | None
    spent_usd: float
    reserved_usd: float


class KeyPage(msgspec.Struct, frozen=True, kw_only=True):
    """Keys, newest first, with those that were revoked or have expired; `next_cursor` is null on the last page."""

    keys: list[KeyAnswer]
    next_cursor: str | None


class KeyWithSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A new key. `key` is what requests send; it is not stored and cannot be shown again."""

    key_id: str
    name: str
    tenant: str
    scopes: list[str]
    priority_ceiling: int
    valid: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    budget_usd: float | None
    spent_usd: float
    reserved_usd: float
    key: str


class MeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The key of the request, its tenant, and what both may do and spend.

    Money is in US dollars; null stands for no budget and for no limit. `scopes` are the key's own words and `granted`
    all that they stand for. `balance_remaining_usd` is what the key may still spend: the budget without what
    completed jobs have cost and what is reserved for unfinished ones, the tenant's or the key's, whichever is less.
    `local_only`: no remote backend gets the tenant's jobs.
    """

    key_id: str
    key_name: str
    tenant_id: str
    tenant: str
    scopes: list[str]
    granted: list[str]
    priority_ceiling: int
    expires_at: datetime | None
    budget_usd: float | None
    spent_usd: float
    reserved_usd: float
    key_budget_usd: float | None
    key_spent_usd: float
    key_reserved_usd: float
    balance_remaining_usd: float | None
    max_unfinished_jobs: int
    max_running_jobs: int | None
    max_streams: int
    paused_at: datetime | None
    local_only: bool
    requests_per_second: float | None
    public_url: str
    version: str


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that ended in one step of time, of one tenant, key, model and server; null for what `by` leaves out.

    Money is in US dollars. The waits and times are those within which half of the jobs, and 95 % of them, were claimed
    and were done after that: upper bounds, read from counts of jobs by time; null without a job.
    """

    since: datetime
    tenant_id: str | None = None
    key_id: str | None = None
    model: str | None = None
    server_id: str | None = None
    completed: int
    failed: int
    cancelled: int
    gpu_seconds: float
    load_seconds: float
    cost_usd: float
    credits: float
    wait_p50_seconds: float | None
    wait_p95_seconds: float | None
    run_p50_seconds: float | None
    run_p95_seconds: float | None


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Usage from `since` to `until`, the oldest first; steps without a job are left out."""

    since: datetime
    until: datetime
    usage: list[UsageRow]


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint.

    `failing_since` is the time since which it has accepted nothing. An endpoint is disabled by its `owner`, after
    `failing` for five days, or by an answer of 410 (`gone`).
    """

    webhook_id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime


class WebhookList(msgspec.Struct, frozen=True, kw_only=True):
    """Your endpoints, newest first, all on one page."""

    webhooks: list[Webhook]


class WebhookWithSecret(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint with the secret that signs its deliveries; the secret is shown only now."""

    webhook_id: str
    url: str
    events: list[str]
    enabled: bool
    disabled_because: str | None
    failing_since: datetime | None
    created_at: datetime
    secret: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: its number, its start, the HTTP status if any, the problem if any, and its duration."""

    attempt: int
    at: datetime
    status: int | None
    problem: str | None
    milliseconds: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A message to one receiver; its id is the `webhook-id` of every attempt.

    `webhook_id` is null for a `callback_url`. `job_id`, `media_id` or `chain_id` names the job, the file or the chain
    that it is about, and is null otherwise. A `superseded` delivery was not sent, because of a newer event of its job.
    `next_attempt_at` is null unless it is `pending`.
    """

    delivery_id: str
    webhook_id: str | None
    job_id: str | None
    media_id: str | None
    chain_id: str | None = None
    type: str
    url: str
    state: str
    problem: str | None
    attempts: list[Attempt]
    next_attempt_at: datetime | None
    created_at: datetime


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, newest first; `next_cursor` is null on the last page."""

    deliveries: list[Delivery]
    next_cursor: str | None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """The number of deliveries that are sent again, at most 10,000, the oldest first.

    Unless `next_since` is null there may be more: repeat the call with it as `since`.
    """

    replayed: int
    next_since: datetime | None


class WebhookEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook about a job, which is sent to its `callback_url` and to endpoints.

    `timestamp` is the time of the event, `data` what the job's status route answers now.
    """

    type: str
    timestamp: datetime
    data: StatusAnswer


class WebhookTestData(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a test event."""

    webhook_id: str


class WebhookTest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of the test event of an endpoint."""

    type: str
    timestamp: datetime
    data: WebhookTestData


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True):
    """An error: what is wrong, then what to do. `code` never changes; `field` is the path of the field at fault."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    field: str | None = None
