"""Names that may be meant by wrong ones: of fields, of query parameters and of paths."""

import difflib
from collections.abc import Collection, Mapping, Sequence

ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("image", "images", "img", "init_image", "photo", "picture", "start_image"), ("input_image",)),
    **dict.fromkeys(("first_frame", "first_frame_image", "image_base64", "source", "url"), ("input_image",)),
    **dict.fromkeys(("image_urls", "input_images", "references"), ("reference_images", "input_image")),
    **dict.fromkeys(("last_frame", "end_image", "tail_image"), ("last_image",)),
    **dict.fromkeys(("description", "input", "query", "script"), ("prompt", "text")),
    "text": ("prompt",),
    "prompt": ("text",),
    **dict.fromkeys(("n", "batch_size", "count", "num_outputs", "samples"), ("num_images",)),
    **dict.fromkeys(("steps", "num_steps"), ("num_inference_steps",)),
    **dict.fromkeys(("cfg", "cfg_scale", "guidance"), ("guidance_scale",)),
    **dict.fromkeys(("denoise", "denoising_strength", "image_strength"), ("strength",)),
    **dict.fromkeys(("audio", "audio_url", "audio_path", "voice_url"), ("input_audio", "target_voice_path")),
    **dict.fromkeys(("reference_audio", "speaker_wav", "voice", "voice_id"), ("target_voice_path",)),
    **dict.fromkeys(("lang", "locale"), ("language_id",)),
    **dict.fromkeys(("duration", "length", "seconds"), ("duration_seconds",)),
    **dict.fromkeys(("format", "file_format", "response_format"), ("output_format",)),
    **dict.fromkeys(("background", "bg_color"), ("background_color",)),
    **dict.fromkeys(("callback", "notify_url", "webhook", "webhook_url"), ("callback_url",)),
    **dict.fromkeys(("server", "gpu", "node"), ("server_id",)),
    **dict.fromkeys(("timeout", "ttl"), ("deadline_seconds", "wait")),
}
"""Names that other services have for a field, and the fields that may be meant here."""
PATHS_ELSEWHERE = {
    **dict.fromkeys(("/health", "/healthcheck", "/ready", "/readyz", "/readiness", "/status"), "/health/ready"),
    **dict.fromkeys(("/healthz", "/live", "/livez", "/liveness", "/ping", "/up"), "/health/live"),
    **dict.fromkeys(("/api", "/doc", "/documentation", "/help", "/swagger-ui", "/openapi"), "/schema"),
    **dict.fromkeys(("/upload", "/uploads", "/files", "/v1/files", "/v1/inputs"), "/inputs/v1"),
    "/v1/models": "/models/v1",
    "/v1/jobs": "/jobs/v1",
}
"""Where other services have what is elsewhere here."""
LONGEST = 60
"""Characters of a path that are compared: the work grows with their square."""


def suggested_path(path: str, routes: Sequence[str]) -> str | None:
    """Return the sentence for a path without a route, which names the route that may be meant; None for none."""
    asked = path.rstrip("/").lower()
    below = [route for route in routes if asked and route.startswith(f"{asked}/")]
    found = PATHS_ELSEWHERE.get(asked) or min(below, key=len, default=None)
    if found is None and len(asked) <= LONGEST:
        found = next(iter(difflib.get_close_matches(asked, routes, n=1, cutoff=0.75)), None)
    return found and f"This path does not exist; did you mean `{found}`? The page at /schema lists all paths."


def nearest(name: str, known: Collection[str]) -> str | None:
    """Return the known name that is meant by another one: as other services call it, or by its letters."""
    elsewhere = next((right for right in ELSEWHERE.get(name.lower(), ()) if right in known), None)
    return elsewhere or next(iter(difflib.get_close_matches(name[:80], known, n=1)), None)
