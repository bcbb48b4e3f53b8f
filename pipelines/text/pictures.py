"""What a model of texts is to see: the pictures of a request, and some of its film. Pillow and PyAV, no torch."""

from pathlib import Path

from PIL import Image

from jobs.params.text import FILM_FRAMES, TextParams
from pipelines.runtime.protocol import Inputs
from pipelines.video.clips import read_facts, read_frames


def seen_pictures(params: TextParams, inputs: Inputs) -> tuple[list[Image.Image], list[Image.Image]]:
    """Return the pictures of a request in the order of `images`, and `FILM_FRAMES` of its film, all RGB.

    What is transparent is white, as in a shop.
    """
    pictures = [_opened(inputs.files[f"images.{number}"]) for number in range(len(params.images))]
    if params.input_video is None:
        return pictures, []
    clip = read_facts(inputs.files["input_video"])
    wanted = [round((part + 0.5) * clip.frames / FILM_FRAMES - 0.5) for part in range(FILM_FRAMES)]
    found = {number: frame for number, frame in enumerate(read_frames(clip)) if number in wanted}
    last = found[max(found)]
    return pictures, [Image.fromarray(found.get(number, last)) for number in wanted]


def _opened(file: Path) -> Image.Image:
    with Image.open(file) as opened:
        picture = opened.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
