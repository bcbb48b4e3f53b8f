"""Sizes as WhaleTools' clients say them: pixels, a ratio of the sides, the lines of a video."""

IMAGE_SIDES, VIDEO_SIDES = (64, 1024), (64, 1536)
"""The shortest and the longest side of an image and of a video, as `jobs.params` has them."""
VIDEO_STEP = 32
LINES = {"2k": 1440, "4k": 2160, "8k": 4320}


def image_size(size: str | None, aspect_ratio: str | None) -> tuple[int, int]:
    """Return width and height: `size`, or with its longest side the ratio; a size beyond the limit shrinks to it."""
    width, height = (1024, 1024) if size in (None, "auto") else _pair(size, "x")
    if aspect_ratio is not None:
        longest, (across, along) = max(width, height), _pair(aspect_ratio, ":")
        width, height = longest * across / max(across, along), longest * along / max(across, along)
    return _fit(width, height, IMAGE_SIDES, 1)


def video_size(resolution: str | None, aspect_ratio: str | None) -> tuple[int, int]:
    """Return width and height, multiples of 32: `720p` is the shorter side, the ratio is 16:9 unless it is said."""
    if resolution is not None and "x" in resolution:
        width, height = _pair(resolution, "x")
        if aspect_ratio is not None:
            longest, (across, along) = max(width, height), _pair(aspect_ratio, ":")
            width, height = longest * across / max(across, along), longest * along / max(across, along)
        return _fit(width, height, VIDEO_SIDES, VIDEO_STEP)
    across, along = _pair(aspect_ratio or "16:9", ":")
    word = (resolution or "512p").lower()
    shorter = LINES[word] if word in LINES else int(word.removesuffix("p"))
    scale = shorter / min(across, along)
    return _fit(across * scale, along * scale, VIDEO_SIDES, VIDEO_STEP)


def _pair(text: str | None, separator: str) -> tuple[float, float]:
    first, _, second = (text or "").partition(separator)
    return float(first), float(second)


def _fit(width: float, height: float, sides: tuple[int, int], step: int) -> tuple[int, int]:
    """Return the sides within the limits, in multiples of `step`, with the same ratio as far as that allows."""
    least, most = sides
    scale = min(1.0, most / max(width, height))
    scale = max(scale, min(least / min(width, height), most / max(width, height)))
    return (
        min(max(round(width * scale / step) * step, least), most),
        min(max(round(height * scale / step) * step, least), most),
    )
