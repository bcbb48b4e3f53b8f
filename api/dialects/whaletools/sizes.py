"""Sizes as WhaleTools' clients say them: pixels, a ratio of the sides, the lines of a video."""

from pipelines.catalog.sizes import IMAGE_SIDES, VIDEO_SIDES, VIDEO_STEP, fit_sides, parse_pair

LINES = {"2k": 1440, "4k": 2160, "8k": 4320}


def image_size(size: str | None, aspect_ratio: str | None) -> tuple[int, int]:
    """Return width and height: `size`, or with its longest side the ratio; a size beyond the limit shrinks to it."""
    width, height = (1024, 1024) if size in (None, "auto") else parse_pair(size or "", "x")
    if aspect_ratio is not None:
        longest, (across, along) = max(width, height), parse_pair(aspect_ratio, ":")
        width, height = longest * across / max(across, along), longest * along / max(across, along)
    return fit_sides(width, height, IMAGE_SIDES, 1)


def video_size(resolution: str | None, aspect_ratio: str | None) -> tuple[int, int]:
    """Return width and height, multiples of 32: `720p` is the shorter side, the ratio is 16:9 unless it is said."""
    if resolution is not None and "x" in resolution:
        width, height = parse_pair(resolution, "x")
        if aspect_ratio is not None:
            longest, (across, along) = max(width, height), parse_pair(aspect_ratio, ":")
            width, height = longest * across / max(across, along), longest * along / max(across, along)
        return fit_sides(width, height, VIDEO_SIDES, VIDEO_STEP)
    across, along = parse_pair(aspect_ratio or "16:9", ":")
    word = (resolution or "512p").lower()
    shorter = LINES[word] if word in LINES else int(word.removesuffix("p"))
    scale = shorter / min(across, along)
    return fit_sides(across * scale, along * scale, VIDEO_SIDES, VIDEO_STEP)
