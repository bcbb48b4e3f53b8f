"""Validation of a submission before any statement: URLs, companions of fields, the priority, the seed."""

import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from api.http.auth import Caller
from api.submit.data_urls import is_data_url
from api.submit.media_intake import is_stored
from core.errors.access import NotEntitled
from core.errors.fields import ForbiddenUrl, InvalidRequest, MissingField, OutOfRange
from core.net.url_guard import check_literal
from core.settings import Settings
from jobs.params.base import Params, changed_fields, refuse_nul
from jobs.params.branding import BrandingParams
from jobs.params.cutout import CutoutParams
from jobs.params.image import ImageParams, Padding
from jobs.params.media import Element, LoraChoice, media_of
from jobs.params.registry import AnyParams
from jobs.params.sound import MusicParams
from jobs.params.speech import LONGEST_TEXT, SpeechParams, has_phonemes, is_speakable
from jobs.params.text import EmbeddingParams, TextParams
from jobs.params.upscale import UpscaleParams
from jobs.params.video import VideoParams
from jobs.scopes import UNMARKED
from pipelines.catalog.prompts.templates import check_conversation

SEEDS = 2**31
"""Seeds drawn here are below this number, which fits the generator of every framework."""

URL_LENGTH = 4096
"""Most characters of a URL that is not a `data:` URL."""

ALSO = ", a `data:` URL or the `input_id` of an upload"

COMPANIONS = {
    "strength": "input_image",
    "padding": "input_image",
    "control_kind": "control_image",
    "control_as_given": "control_image",
    "control_scale": "control_image",
    "last_image": "input_image",
    "pin": "server_id",
    "logo_position": "logo_url",
    "palette_mode": "subject_image",
    "keep_cutout": "background_color",
    "drop_shadow": "background_color",
    "prefer_seconds": "pin: prefer",
    "variables": "template",
}
"""Fields that require another one, or this value of another one."""

DEFAULT_PRIORITY = next(field.default for field in msgspec.structs.fields(Params) if field.name == "priority")


class IdempotencyKey(msgspec.Struct, frozen=True):
    """An Idempotency-Key and the digest of its request."""

    key: str
    digest: str


def check(params: AnyParams, caller: Caller, settings: Settings) -> AnyParams:
    """Return the parameters, with the default priority lowered to the ceiling of the key.

    Raises `NulInText`, `MissingField`, `OutOfRange`, `NotEntitled`, and what `check_url` and
    `check_conversation` raise.
    """
    refuse_nul(params)
    if isinstance(params, SpeechParams):
        _check_speech(params)
    if isinstance(params, MusicParams) and params.instrumental and params.lyrics is not None:
        raise InvalidRequest("`lyrics` are sung, and `instrumental` is without a voice; remove one.", field="$.lyrics")
    if isinstance(params, BrandingParams) and params.logo_url is None and not params.palette:
        raise MissingField("`logo_url` or `palette` is required; add one of them.", field="$.logo_url")
    if isinstance(params, UpscaleParams):
        _check_one(params.input_image, params.input_video)
    if isinstance(params, CutoutParams):
        _check_cutout(params)
    if isinstance(params, ImageParams):
        check_elements(params.elements)
        if params.padding == Padding():
            raise OutOfRange("`padding` extends no side; give one of them pixels.", field="$.padding")
        _check_control(params)
    if isinstance(params, ImageParams | VideoParams):
        _check_loras(params.loras)
    if isinstance(params, EmbeddingParams):
        _check_vectors(params)
    if isinstance(params, TextParams):
        check_conversation(params)
    if params.callback_url is not None:
        check_url(params.callback_url, "$.callback_url", settings)
    for medium in media_of(params):
        if not is_data_url(medium.source) and not is_stored(medium.source):
            check_url(medium.source, medium.field, settings, also=ALSO)
    changed = dict(changed_fields(params))
    for name, required in COMPANIONS.items():
        companion, _, _ = required.partition(":")
        if name in changed and companion not in changed:
            advice = f"`{name}` requires `{required}`; add it, or remove `{name}`."
            raise MissingField(advice, field=f"$.{companion}")
    return for_caller(params, caller, settings)


def _check_speech(params: SpeechParams) -> None:
    """Raise `OutOfRange` for a text without words, or with too many, and `InvalidRequest` for a word named twice."""
    words = [each.word.strip().lower() for each in params.replacements]
    for number, word in enumerate(words):
        if word in words[:number]:
            advice = f"Two of `replacements` are for {word!r}; remove one."
            raise InvalidRequest(advice, field=f"$.replacements[{number}].word")
        if (params.replacements[number].say is None) == (params.replacements[number].phonemes is None):
            advice = f"Say how {word!r} is pronounced: by `say` or by `phonemes`, and not by both."
            raise InvalidRequest(advice, field=f"$.replacements[{number}]")
    if params.voice is not None and params.target_voice_path is not None:
        raise InvalidRequest("`voice` and `target_voice_path` exclude each other; remove one.", field="$.voice")
    spelled = params.spelled
    if not is_speakable(spelled) and not (params.replacements and has_phonemes(spelled)):
        raise OutOfRange("`text` has nothing that can be spoken; write words or numbers.", field="$.text")
    if len(spelled) > LONGEST_TEXT:
        advice = f"`text` must have at most {LONGEST_TEXT} characters with its `replacements`; this has {len(spelled)}."
        raise OutOfRange(advice, field="$.replacements")


def _check_control(params: ImageParams) -> None:
    """Raise `InvalidRequest` for a start beside a control picture."""
    if params.control_image is not None and params.input_image is not None:
        advice = "`control_image` and `input_image` exclude each other; remove one."
        raise InvalidRequest(advice, field="$.control_image")


def _check_one(picture: str | None, film: str | None) -> None:
    """Raise `MissingField` for neither a picture nor a film, and `InvalidRequest` for both."""
    if picture is None and film is None:
        raise MissingField("`input_image` or `input_video` is required; add one of them.", field="$.input_image")
    if picture is not None and film is not None:
        raise InvalidRequest("`input_image` and `input_video` exclude each other; remove one.", field="$.input_video")


def _check_vectors(params: EmbeddingParams) -> None:
    """Raise `MissingField` for neither texts nor a picture, and `InvalidRequest` for both."""
    if not params.texts and params.input_image is None:
        raise MissingField("`texts` or `input_image` is required; add one of them.", field="$.texts")
    if params.texts and params.input_image is not None:
        raise InvalidRequest("`texts` and `input_image` exclude each other; remove one.", field="$.input_image")


def _check_cutout(params: CutoutParams) -> None:
    """Raise what `_check_one` raises, and `InvalidRequest` for what is done to pictures alone."""
    _check_one(params.image_url, params.input_video)
    if params.input_video is not None:
        for name in ("crop", "semitransparency", "keep_cutout", "drop_shadow"):
            if getattr(params, name):
                raise InvalidRequest(f"`{name}` is for pictures; remove it for a film.", field=f"$.{name}")


def check_elements(elements: Sequence[Element]) -> None:
    """Raise `OutOfRange`, `MissingField` or `InvalidRequest` for elements that are not as the contract has them."""
    names = [element.name for element in elements]
    for number, element in enumerate(elements):
        place, pictures, films = f"$.elements[{number}]", element.element_input_urls, element.element_input_video_urls
        if names.index(element.name) < number:
            advice = f"Two of `elements` are called {element.name!r}; give each a `name` of its own."
            raise InvalidRequest(advice, field=f"{place}.name")
        if not pictures and not films:
            advice = "An element needs 2 to 4 `element_input_urls`, or one of `element_input_video_urls`; add them."
            raise MissingField(advice, field=f"{place}.element_input_urls")
        if pictures and films:
            advice = "An element takes `element_input_urls` or `element_input_video_urls`; remove one of the two."
            raise InvalidRequest(advice, field=f"{place}.element_input_video_urls")
        if len(pictures) == 1:
            advice = "`element_input_urls` must have 2 to 4 pictures of the element; add another one."
            raise OutOfRange(advice, field=f"{place}.element_input_urls")


def _check_loras(loras: Sequence[LoraChoice]) -> None:
    """Raise `InvalidRequest` for a LoRA that is there twice."""
    names = [choice.lora for choice in loras]
    for number, name in enumerate(names):
        if names.index(name) < number:
            advice = f"Two of `loras` are {name[:80]!r}; name it once, with the sum of its weights."
            raise InvalidRequest(advice, field=f"$.loras[{number}].lora")


def for_caller(params: AnyParams, caller: Caller, settings: Settings) -> AnyParams:
    """Return the parameters as this key may ask for them: with the usual mark, and a priority below its ceiling.

    Raises `NotEntitled` for no mark, and `OutOfRange` for a higher priority than the default.
    """
    params = _with_mark(params, caller, settings)
    if params.priority <= caller.priority_ceiling:
        return params
    if params.priority == DEFAULT_PRIORITY:
        return msgspec.structs.replace(params, priority=caller.priority_ceiling)
    raise OutOfRange(f"`priority` must be at most {caller.priority_ceiling} for this key.", field="$.priority")


def _with_mark(params: AnyParams, caller: Caller, settings: Settings) -> AnyParams:
    """Return the parameters with `always` for `auto` where the visible mark is usual. Raises `NotEntitled`."""
    asked = getattr(params, "watermark", "always")
    if asked == "always" or not settings.watermark or UNMARKED in caller.scopes:
        return params
    if asked == "never":
        raise NotEntitled(
            "This key may not make pictures and films without the visible mark; leave `watermark` out, or ask the "
            "operator for a key that may (`atelier keys create --unmarked`).",
            needs=UNMARKED,
            field="$.watermark",
        )
    return msgspec.structs.replace(params, watermark="always")


def check_url(url: str, field: str, settings: Settings, *, also: str = "") -> None:
    """Raise `InvalidRequest` unless `url` is http(s) with a host, and `ForbiddenUrl` for a forbidden address.

    The address of a host name is checked at each request to it. `also` lists what else the field accepts.
    """
    name = field.removeprefix("$.")
    if len(url) > URL_LENGTH:
        raise OutOfRange(f"`{name}` must have at most {URL_LENGTH} characters.", field=field)
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if any(character.isspace() for character in url):
        raise InvalidRequest(f"`{name}` has a space or a line break in its URL; write a space as %20.", field=field)
    if not valid:
        raise InvalidRequest(f"`{name}` must be an http or https URL with a host name{also}.", field=field)
    try:
        check_literal(url, settings)
    except ForbiddenUrl as error:
        raise ForbiddenUrl(error.detail, field=field) from None


def draw_seed(params: AnyParams) -> int | None:
    """Return the seed of every attempt: the caller's, or a random one for -1; None for modalities without one."""
    seed: int | None = getattr(params, "seed", None)
    return secrets.randbelow(SEEDS) if seed == -1 else seed
