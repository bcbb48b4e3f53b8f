"""Errors in VideoGen's shape, a flat object, with its statuses and codes."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response

from api.http.auth import presented_key
from api.http.problems import error_headers, in_words_of
from core.errors.access import Forbidden, NotEntitled, Unauthenticated
from core.errors.base import AtelierError, RequestRefused
from core.errors.fields import InvalidJson, InvalidRequest
from core.errors.http import NotOffered
from core.errors.limits import BudgetExhausted
from core.errors.unavailable import Unavailable
from core.errors.unknown import MalformedId
from jobs.wire.dialects.videogen import VideoGenError, VideoGenRequirement

FIELDS = {
    "text": "ttsText",
    "language_id": "speechLanguageCode",
    "target_voice_path": "voiceId",
    "input_audio": "audioFileId",
    "sound": "generateAudio",
    "speed": "voiceSpeed",
    "image_url": "imageFileId",
    "input_image": "imageFileIds",
    "last_image": "endFrameFileId",
    "reference_images": "imageFileIds",
    "duration_seconds": "durationSeconds",
    "num_images": "numResults",
    "watermark": "watermarkMode",
}
"""VideoGen's names of the fields that sentences name by their native ones."""
IN_VIDEO = {"input_image": "startFrameFileId"}


def render_error(
    request: Request[Any, Any, Any], error: AtelierError, headers: Mapping[str, str]
) -> Response[VideoGenError]:
    """Return the response of an error."""
    status, code = _status_and_code(request, error)
    requirement = (
        VideoGenRequirement("purchase_add_on", {"scope": error.needs}) if isinstance(error, NotEntitled) else None
    )
    in_video = request.scope["path"].endswith("generate-video-clip")
    message, _ = in_words_of(FIELDS | IN_VIDEO if in_video else FIELDS, error)
    body = VideoGenError(message=message, code=code, requirement=requirement, internal_error_code=error.code)
    return Response(body, status_code=status, headers={**error_headers(error), **headers})


def _status_and_code(request: Request[Any, Any, Any], error: AtelierError) -> tuple[int, str]:
    """Return VideoGen's status and code: it has fewer of both, and 400 for whatever a caller can correct."""
    if isinstance(error, Unauthenticated):
        return 401, "invalid_api_key" if _has_key(request) else "missing_api_key"
    if isinstance(error, BudgetExhausted):
        return 429, "insufficient_credits"
    if isinstance(error, MalformedId):
        return 400, "invalid_id"
    if isinstance(error, InvalidJson):
        return 400, "invalid_request"
    if isinstance(error, InvalidRequest):
        return 400, "invalid_parameters"
    if isinstance(error, NotEntitled | Forbidden):
        return 403, "not_authorized"
    if isinstance(error, NotOffered):
        return 501, "not_implemented"
    if isinstance(error, Unavailable):
        return error.status, "unavailable"
    if not isinstance(error, RequestRefused):
        return error.status, "internal_error"
    return {404: (404, "not_found"), 410: (404, "not_found"), 409: (409, "conflict"), 429: (429, "rate_limited")}.get(
        error.status, (error.status if error.status in (403, 405, 413, 415) else 400, "invalid_request")
    )


def _has_key(request: Request[Any, Any, Any]) -> bool:
    try:
        return bool(presented_key(request.scope["headers"]))
    except Unauthenticated:
        return False
