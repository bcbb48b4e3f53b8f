"""How large pictures and films may become, and what a network is asked to enlarge. No torch."""

from core.errors.fields import NotThisModel
from pipelines.catalog.limits import MOST_PIXELS, MOST_SIDE
from pipelines.catalog.spec import ModelSpec
from pipelines.video.clips import MOST_BYTES, ClipFacts

MOST_FRAME_PIXELS = 4096 * 2304
"""Of a frame: those that a film may have as an input."""


def check_picture(size: tuple[int, int], scale: int) -> None:
    """Raise `NotThisModel` for a picture that would become too large."""
    width, height = (side * scale for side in size)
    if width * height > MOST_PIXELS or max(width, height) > MOST_SIDE:
        raise NotThisModel(
            f"The picture would have {width}x{height} pixels, and one has at most {MOST_PIXELS // 10**6} million and "
            f"no side above {MOST_SIDE}; send a smaller one, or ask for less `scale`.",
            field="$.input_image",
        )


def check_film(clip: ClipFacts, scale: int) -> None:
    """Raise `NotThisModel` for a film that would become too large."""
    width, height = (side * scale for side in clip.size)
    if width * height > MOST_FRAME_PIXELS:
        raise NotThisModel(
            f"The film would have {width}x{height} pixels, and one has at most those of 4096x2304; send a smaller one, "
            "or ask for less `scale`.",
            field="$.input_video",
        )
    if width * height * 3 // 2 * clip.frames > MOST_BYTES:
        raise NotThisModel(
            f"{clip.frames} frames of {width}x{height} are too many; send a shorter film, or ask for less `scale`.",
            field="$.input_video",
        )


def too_large_for_network(spec: ModelSpec, what: str, pixels: int) -> str | None:
    """Return the sentence about a picture or film of more pixels, over all frames, than the network enlarges."""
    most = spec.limits.network_pixels
    if most is None or pixels <= most:
        return None
    return (
        f"The {what} has {pixels / 1e6:.1f} million pixels, and {spec.id} enlarges at most {most / 1e6:g} million with "
        "its network; it was enlarged with Lanczos, which adds no detail"
    )
