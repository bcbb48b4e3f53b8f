"""The fields of a submit, by modality.

Written by `scripts/sdk_models.py`: change the API, not this file.
"""

from collections.abc import Sequence
from typing import Literal, Required, TypedDict


class Padding(TypedDict, total=False):
    """How far a picture is extended beyond each of its sides; the model paints what is new."""

    left: int
    """Pixels of `input_image`."""
    top: int
    """Pixels of `input_image`."""
    right: int
    """Pixels of `input_image`."""
    bottom: int
    """Pixels of `input_image`."""


class Element(TypedDict, total=False):
    """Something that a request refers to by its name: a person, a product, a place."""

    name: Required[str]
    """`@name` in a prompt is it."""
    description: Required[str]
    """What it is, in plain words."""
    element_input_urls: Sequence[str]
    """2 to 4 pictures of it: JPEG or PNG of at least 300x300 pixels, at most 10 MB."""
    element_input_video_urls: Sequence[str]
    """Or one film of it: MP4 or MOV, at most 50 MB; its middle frame is used."""


class LoraChoice(TypedDict, total=False):
    """A LoRA that a request puts on the model, `weight` times as strong as it was made."""

    lora: Required[str]
    """A name of the model's `loras`, or an `input_id`, `media_id` or URL of a file of your own."""
    weight: float
    """How strong it is; 1 is as it was made."""


class Pronunciation(TypedDict, total=False):
    """How a word is spoken."""

    word: Required[str]
    """A whole word or several, in any case of letters."""
    say: str | None
    """What is spoken instead, spelled as it sounds."""
    phonemes: str | None
    """What is spoken instead, in the IPA; for models with the capability `phonemes`."""


class ChatMessage(TypedDict, total=False):
    """One turn of a chat."""

    role: Required[Literal["assistant", "system", "user"]]
    """Whose words they are; `system` says how to answer."""
    content: Required[str]
    """What they say."""
    images: Sequence[int]
    """The pictures before these words, by their places in the request's `images`, from 0."""


class Shot(TypedDict, total=False):
    """One shot of a storyboard. Its first frame is `image`, or drawn from its prompt, or where the shot before ends."""

    prompt: Required[str]
    """What the shot shows, and how it moves."""
    duration_seconds: float | None
    """Seconds of the shot; by default what the model makes."""
    image: str | None
    """The first frame of the shot."""
    continues: bool
    """Begin with the last frame of the shot before."""


class ImageRequest(TypedDict, total=False):
    """An image from a prompt; only `prompt` is required.

    `input_image` is changed as far as `strength` allows, with a `mask` only where that is transparent, with a `padding`
    only beyond its sides; `reference_images` guide the model (an editing model changes the first of them). Image n of
    `num_images` has the seed `seed + n`.
    """

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "png", "webp"]
    """File format of the image."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    prompt: Required[str]
    """What to make, in plain words."""
    quality: Literal["fast", "pro", "standard", "ultra"]
    """A preset of the model; fields that you set win over it."""
    num_images: int
    """Images to make."""
    input_image: str | None
    """The image to start from. Read as `image_path` and `image_url`, too."""
    mask: str | None
    """Of the size of `input_image`: only what is transparent in it is repainted."""
    padding: Padding | None
    """Extends `input_image`, and paints what is new. The image is as large as all of it, at most `width` x `height`."""
    strength: float | None
    """How much of `input_image` may change."""
    reference_images: Sequence[str]
    """Images that guide the model."""
    elements: Sequence[Element]
    """What `@name` in the prompt means, with pictures that the model follows."""
    control_image: str | None
    """The image is made along its edges, or as `control_kind` says."""
    control_kind: Literal["canny", "depth", "pose"]
    """What of `control_image` the image follows."""
    control_as_given: bool
    """`control_image` shows edges, depths or poses itself, on black."""
    control_scale: float | None
    """How closely `control_image` is followed."""
    loras: Sequence[LoraChoice]
    """LoRAs to put on the model, together."""
    negative_prompt: str | None
    """What to avoid."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    resolution: Literal["1K", "2K", "4K"] | None
    """The longest side, in the shape of `width` and `height`; 2K and 4K of some models."""
    num_inference_steps: int | None
    """Denoising steps."""
    guidance_scale: float | None
    """Adherence to the prompt."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""
    enhance_prompt: bool
    """A text model writes a better prompt first; the output's `revised_prompt` is what was made."""
    logo_url: str | None
    """A logo to stamp on the image at half opacity."""
    logo_position: Literal["bottom_left", "bottom_right", "top_left", "top_right"]
    """The corner of the logo."""
    palette: Sequence[str]
    """Brand colors, as hex codes."""
    palette_mode: Literal["complementary", "radical", "similar"] | None
    """Take the palette from `subject_image`: its colors, their opposites, or a third turn away."""
    subject_image: str | None
    """A picture whose subject is cut out and put over the image, which has its size then."""
    profile_id: str | None
    """Defaults of POST /profiles/v1."""


class VideoRequest(TypedDict, total=False):
    """A video from an image, or from the prompt alone without `input_image`, where the model supports it."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "mp4", "png", "webm", "webp"]
    """mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_image: str | None
    """The first frame; not needed by a text-to-video model. Read as `image_path` and `image_url`, too."""
    last_image: str | None
    """The last frame, for a model that supports one."""
    reference_images: Sequence[str]
    """What is to be seen in the video, for a model that can."""
    motion_video: str | None
    """A film whose motion `input_image` follows, for a model that can."""
    motion_as_given: bool
    """`motion_video` shows drawn poses, depth or outlines itself, and no person."""
    loras: Sequence[LoraChoice]
    """LoRAs to put on the model, together."""
    prompt: str
    """What to make, in plain words."""
    enhance_prompt: bool
    """A text model writes a better prompt first; the output's `revised_prompt` is what was made."""
    negative_prompt: str | None
    """What to avoid."""
    quality: Literal["fast", "pro", "standard", "ultra"]
    """A preset of the model; fields that you set win over it."""
    width: int
    """Pixels, a multiple of 32."""
    height: int
    """Pixels, a multiple of 32."""
    duration_seconds: float
    """Seconds of video."""
    sound: bool
    """A video with sound, of its own or made apart by a model of sounds."""
    num_inference_steps: int | None
    """Denoising steps."""
    guidance_scale: float | None
    """Adherence to the prompt."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""


class CutoutRequest(TypedDict, total=False):
    """The foreground of an image or a film on transparency; `input_image` or `input_video` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "mov", "mp4", "png", "webm", "webp"]
    """png or webp; a film is webm (VP9), mov (ProRes 4444) or, opaque, mp4. Others warn."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    image_url: str | None
    """The image whose background is removed. Read as `image_path` and `image_url`, too."""
    input_video: str | None
    """Or the film, as MP4, WebM or MOV, for a model that takes films."""
    mask_only: bool
    """Return the matte itself."""
    background_color: str | None
    """Put the foreground on this color."""
    crop: bool
    """Crop to the foreground."""
    semitransparency: bool
    """The thing lets what is behind it through, as hair, fur, glass and veils do."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""
    keep_cutout: bool
    """With `background_color`, return the cut-out itself as a second output, a PNG."""
    drop_shadow: bool
    """With `background_color`, a soft shadow below the foreground."""
    shadow_opacity: float
    """0 none, 1 black."""
    shadow_blur: float
    """Radius, as a share of the width."""
    shadow_dy: float
    """Down, as a share of the height."""
    shadow_dx: float
    """Right, as a share of the width."""


class SpeechRequest(TypedDict, total=False):
    """Speech from text; `text` is required. 25 tokens are a second of audio."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["aac", "flac", "jpeg", "mp3", "ogg", "pcm", "png", "wav", "webp"]
    """wav, mp3, ogg (Opus), aac, flac or pcm (16 bit, 24 kHz); image formats give wav and a warning."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    text: Required[str]
    """The text to speak."""
    language_id: str
    """Language code, e.g. en or pt-BR."""
    target_voice_path: str | None
    """A reference voice: a URL, a `data:` URL, an `input_id`, or a `voice_id` of /voices/v1."""
    voice: str | None
    """A voice of the model's own, of `/voices/v1`."""
    max_new_tokens: int
    """Upper bound of the audio."""
    exaggeration: float
    """0 neutral, 1 most expressive."""
    temperature: float
    """How freely the model chooses."""
    cfg_weight: float
    """Adherence to text and voice; 0 paces calmly."""
    replacements: Sequence[Pronunciation]
    """Words that are pronounced in another way, as names and abbreviations are."""
    speed: float
    """How fast it is spoken; the pitch stays."""
    loudness: float | None
    """How loud it is, in LUFS, with true peaks below -1 dB; null: as it is made."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""
    stream: bool
    """Send the sound while it is made: `/jobs/v1/{job_id}/sound`. It is spoken in shorter parts."""
    apply_watermark: bool
    """Add an inaudible mark that identifies generated audio."""


class MeshRequest(TypedDict, total=False):
    """A mesh from an image; `input_image` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["glb", "jpeg", "obj", "ply", "png", "stl", "webp"]
    """glb, obj, stl or ply; image formats are accepted with a warning and give glb."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    image_path: Required[str]
    """The image of the object. Read as `image_path` and `image_url`, too."""
    mode: Literal["generate", "generate_and_paint", "paint"]
    """The mesh; the mesh with the image as its texture (of at most 30000 triangles); or both, the painted one first."""
    max_faces: int
    """Triangles of the mesh, at most."""
    mesh_save_name: str | None
    """Name of the mesh's file."""
    painted_save_name: str | None
    """Name of the painted mesh's file, with mode paint."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""
    auto_unload: bool
    """Unload the model after the job."""


class BrandingRequest(TypedDict, total=False):
    """A picture with a logo or a palette; `input_image` is required, and `logo_url` or `palette`. It needs no GPU."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "png", "webp"]
    """File format of the picture."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_image: Required[str]
    """The picture. Read as `image_path` and `image_url`, too."""
    logo_url: str | None
    """A logo to stamp on the picture at half opacity."""
    logo_position: Literal["bottom_left", "bottom_right", "top_left", "top_right"]
    """The corner of the logo."""
    palette: Sequence[str]
    """Brand colors, as hex codes."""


class JoinRequest(TypedDict, total=False):
    """Films one after the other as one film; `films` is required. It needs no GPU.

    The first one decides the size and the frame rate: others are cropped and shown at that rate. Each has its sound.
    """

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "mp4", "png", "webm", "webp"]
    """mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    films: Required[Sequence[str]]
    """The films, in their order, as MP4, WebM or MOV."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""


class VectorizeRequest(TypedDict, total=False):
    """A picture as shapes in an SVG; `input_image` is required. It needs no GPU.

    It is meant for logos, icons and flat art. A photograph becomes a poster of itself.
    """

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "png", "svg", "webp"]
    """svg; the formats of pixels are accepted with a warning and give svg."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_image: Required[str]
    """The picture that is traced. Read as `image_path` and `image_url`, too."""
    mode: Literal["pixel", "polygon", "spline"]
    """Outlines of curves, of straight lines, or along the edges of the pixels."""
    color_mode: Literal["binary", "color"]
    """`binary`: what is darker than middle gray in black, and nothing else."""
    colors: int | None
    """So many colors at most; without it, as many as `detail` distinguishes."""
    detail: Literal["high", "low", "medium"] | None
    """How finely colors and outlines are followed; without it a busy picture is drawn coarser."""
    filter_speckle: int
    """Patches of fewer pixels than a square of this side are left out."""
    corner_threshold: int
    """Turns of fewer degrees are rounded, with mode spline."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""


class TextRequest(TypedDict, total=False):
    """A text by a language model; one of `prompt`, `messages` and `template` is required.

    Pictures that no message names come before the words of the last one, and those of a film after them.
    """

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "md", "png", "txt", "webp"]
    """md asks the model for Markdown; image formats are accepted with a warning and give txt."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    prompt: str | None
    """What to write, in plain words."""
    messages: Sequence[ChatMessage]
    """A chat so far, instead of `prompt`; its last message is the user's."""
    template: str | None
    """A prompt of the service by its name, instead of `prompt`."""
    images: Sequence[str]
    """Pictures to be seen, by a model that can."""
    input_video: str | None
    """A film, as MP4, WebM or MOV; a model that can sees 4 pictures of it."""
    variables: dict[str, str]
    """What stands in the places of the template."""
    max_tokens: int
    """Upper bound of the text; a token is about four characters."""
    temperature: float
    """How freely the model chooses; 0 always takes the likeliest token."""
    top_p: float
    """It chooses among the likeliest tokens of this share together."""
    stop: Sequence[str]
    """Where the text ends; what is listed here is not in it."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""


class UpscaleRequest(TypedDict, total=False):
    """A picture or a film twice or four times as large; `input_image` or `input_video` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "mp4", "png", "webm", "webp"]
    """webp, png or jpeg of a picture; mp4 (H.264, also for webp) or webm (VP9) of a film."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_image: str | None
    """The picture that is enlarged. Read as `image_path` and `image_url`, too."""
    input_video: str | None
    """Or the film, as MP4, WebM or MOV, for a model that takes films."""
    scale: int
    """How many times as wide and high: 2 or 4."""
    method: Literal["lanczos", "realesrgan"]
    """A network, which draws detail that was probably there, or a filter, which adds none."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""


class SoundRequest(TypedDict, total=False):
    """A sound effect from words; `prompt` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["aac", "flac", "jpeg", "mp3", "ogg", "png", "wav", "webp"]
    """wav, mp3, ogg (Opus), aac or flac; image formats give wav and a warning."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    prompt: Required[str]
    """What is heard, in plain words."""
    negative_prompt: str | None
    """What is not to be heard."""
    duration_seconds: float
    """Seconds of sound."""
    loop: bool
    """A sound whose end leads into its beginning without a seam."""
    num_inference_steps: int | None
    """Denoising steps."""
    guidance_scale: float | None
    """Adherence to the prompt."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""


class MusicRequest(TypedDict, total=False):
    """Music from words; `prompt` is required. What is left out the model chooses."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["aac", "flac", "jpeg", "mp3", "ogg", "png", "wav", "webp"]
    """wav, mp3, ogg (Opus), aac or flac; image formats give wav and a warning."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    prompt: Required[str]
    """Style, mood and instruments, in plain words."""
    lyrics: str | None
    """What is sung, with parts such as [verse] and [chorus], for a model that sings."""
    language_id: str
    """The language of `lyrics`, e.g. en or pt."""
    instrumental: bool
    """Without a voice; `lyrics` exclude it."""
    duration_seconds: float
    """Seconds of music."""
    bpm: int | None
    """Quarter notes a minute."""
    key: str | None
    """For example C major or F# minor."""
    time_signature: Literal["2/4", "3/4", "4/4", "6/8"] | None
    """The meter."""
    num_inference_steps: int | None
    """Denoising steps."""
    guidance_scale: float | None
    """Adherence to the prompt."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""


class TranscriptRequest(TypedDict, total=False):
    """What is said in a recording, with times; `input_audio` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "json", "png", "srt", "txt", "vtt", "webp"]
    """json has all times; srt and vtt are subtitles. Image formats give json and a warning."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_audio: Required[str]
    """The recording, or a film of which the sound is heard; of at most an hour."""
    language_id: str | None
    """Language code, e.g. en or pt; without one it is found."""
    prompt: str | None
    """Names and words that are spelled as here; its last 200 tokens or so count."""
    timestamp_granularities: Sequence[Literal["segment", "word"]]
    """What has times in a json file: sentences always, and each word if asked for."""
    temperature: float
    """How freely the model chooses; 0 always takes the likeliest token."""
    seed: int
    """-1 draws a fresh seed; any other value repeats itself."""


class AvatarRequest(TypedDict, total=False):
    """A film of a picture whose face says a recording; `input_image` and `input_audio` are required.

    The face is where `face_x`, `face_y` and `face_size` say, all of them shares of the picture's sides.
    """

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "mp4", "png", "webm", "webp"]
    """mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_image: Required[str]
    """The picture with the face. Read as `image_path` and `image_url`, too."""
    input_audio: Required[str]
    """What it says: a recording of a voice of up to a minute."""
    face_x: float
    """The middle of the face, from the left of the picture."""
    face_y: float
    """The middle of the face, from the top of the picture."""
    face_size: float
    """The height of the face, from brow to chin, of the picture's height."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""


class EmbeddingRequest(TypedDict, total=False):
    """Vectors of texts or of a picture, by which they are compared; `texts` or `input_image` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "json", "png", "webp"]
    """json; image formats are accepted with a warning and give json."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    texts: Sequence[str]
    """The texts, each of which gets a vector."""
    input_image: str | None
    """Or one picture, for a model that sees. Read as `image_path` and `image_url`, too."""


class SegmentRequest(TypedDict, total=False):
    """The parts of a picture, each with a label, a score, a box and its pixels; `input_image` is required."""

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "png", "webp"]
    """png, whose pixels are numbers of segments; the other formats give it with a warning."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_image: Required[str]
    """The picture whose parts are found. Read as `image_path` and `image_url`, too."""
    classes: Sequence[str]
    """Labels; segments with others are left out. Empty: all are kept."""
    threshold: float | None
    """Segments with a lower score are left out; null is the model's own bound."""


class InterpolateRequest(TypedDict, total=False):
    """A film with more frames a second; `input_video` is required.

    It lasts as long as before, and its own frames and its sound stay.
    """

    model: str | None
    """A model of GET /models/v1."""
    output_format: Literal["jpeg", "mp4", "png", "webm", "webp"]
    """mp4 (H.264) or webm (VP9); image formats are accepted with a warning and give mp4."""
    callback_url: str | None
    """Receives one signed webhook when the job ends."""
    server_id: str | None
    """Run on this server."""
    pin: Literal["prefer", "strict"]
    """`strict` waits for `server_id` however long it takes, `prefer` only for `prefer_seconds`."""
    prefer_seconds: float
    """With `pin: prefer`, seconds after which a job that still waits may run on any server."""
    priority: int
    """0 lowest, 9 highest."""
    deadline_seconds: int | None
    """Seconds after which an unfinished job fails."""
    start_within_seconds: int | None
    """Seconds after which it fails unless it has started."""
    labels: dict[str, str]
    """Up to 16 pairs of your own, to filter by. A key has at most 63 letters, digits and ._/-"""
    input_video: Required[str]
    """The film, as MP4, WebM or MOV."""
    factor: int
    """How many times as many frames a second: 2, 3 or 4."""
    watermark: Literal["always", "auto", "never"]
    """A visible `Made with AI` at the bottom left; `auto`: where the operator wants it."""


PATHS = {
    "image": "/generate/image/v1",
    "video": "/generate/video/v1",
    "remove-background": "/generate/remove-background/v1",
    "speech": "/generate/speech/v1",
    "3d": "/generate/3d/v1",
    "branding": "/generate/branding/v1",
    "join": "/generate/join/v1",
    "vectorize": "/generate/vectorize/v1",
    "text": "/generate/text/v1",
    "upscale": "/generate/upscale/v1",
    "sound": "/generate/sound/v1",
    "music": "/generate/music/v1",
    "transcript": "/generate/transcript/v1",
    "avatar": "/generate/avatar/v1",
    "embedding": "/generate/embedding/v1",
    "segment": "/generate/segment/v1",
    "interpolate": "/generate/interpolate/v1",
}
"""The route of each modality."""

MEDIA = {
    "image": [
        "control_image",
        "elements",
        "input_image",
        "logo_url",
        "loras",
        "mask",
        "reference_images",
        "subject_image",
    ],
    "video": ["input_image", "last_image", "loras", "motion_video", "reference_images"],
    "remove-background": ["image_url", "input_video"],
    "speech": ["target_voice_path"],
    "3d": ["image_path"],
    "branding": ["input_image", "logo_url"],
    "join": ["films"],
    "vectorize": ["input_image"],
    "text": ["images", "input_video"],
    "upscale": ["input_image", "input_video"],
    "sound": [],
    "music": [],
    "transcript": ["input_audio"],
    "avatar": ["input_audio", "input_image"],
    "embedding": ["input_image"],
    "segment": ["input_image"],
    "interpolate": ["input_video"],
}
"""The fields of each modality that take files, or have them within."""
