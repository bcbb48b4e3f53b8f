"""What `atelier demo` makes: a row of everything that the service can do, in the order of its page."""

from pathlib import Path
from typing import Any

import msgspec

from jobs.params.modality import ModalitySpec
from jobs.params.registry import modality_named

IMAGES = Path(__file__).parents[2] / "docs" / "images"
"""Where the files are that no row makes."""
PHOTO = "product.jpg"
PRESENTER = "presenter.png"
RED_CIRCLE = "a red circle on a blue background"


class DemoJob(msgspec.Struct, frozen=True):
    """One job: its title, its modality, the fields of its submit, and its file, whose ending is the format.

    A field that takes media names the file of an earlier row, or one of `IMAGES`.
    """

    title: str
    modality: str
    fields: dict[str, Any]
    file: str

    @property
    def spec(self) -> ModalitySpec:
        """The modality."""
        return modality_named(self.modality)

    @property
    def sources(self) -> list[str]:
        """The files that it is made of."""
        named = [self.fields[name] for name in self.spec.params.media if name in self.fields]
        return [file for value in named for file in ([value] if isinstance(value, str) else value)]

    @property
    def prompt(self) -> str:
        """The words that it is made of; a template's are its variables."""
        words = self.fields.get("prompt") or self.fields.get("text") or "; ".join(self.fields.get("texts", ()))
        return words or ", ".join(f"{name}: {value}" for name, value in self.fields.get("variables", {}).items())

    @property
    def body(self) -> dict[str, Any]:
        """The fields of the submit, with the format."""
        return self.fields | {"output_format": self.spec.formats[Path(self.file).suffix]}


JOBS = (
    # 256x256 are the pixels that the demo model draws, so that there is something to enlarge
    DemoJob("Picture: a circle", "image", {"prompt": RED_CIRCLE, "width": 256, "height": 256}, "a-red-circle.webp"),
    DemoJob(
        "Picture: a star",
        "image",
        {"prompt": "a small yellow star in the top left on a purple background"},
        "a-yellow-star.webp",
    ),
    DemoJob(
        "Picture: two shapes",
        "image",
        {"prompt": "a green ring to the left of an orange square on white"},
        "a-green-ring.webp",
    ),
    DemoJob("Picture, enlarged", "upscale", {"input_image": "a-red-circle.webp", "scale": 4}, "a-large-circle.webp"),
    DemoJob("Picture as an SVG", "vectorize", {"input_image": "a-green-ring.webp", "colors": 3}, "a-green-ring.svg"),
    DemoJob("Photo, cut out", "remove-background", {"image_url": PHOTO}, "product-cutout.png"),
    DemoJob("Photo, in parts", "segment", {"input_image": PHOTO}, "product-parts.png"),
    DemoJob(
        "Photo, described",
        "text",
        {"template": "description", "images": [PHOTO], "model": "demo-labels"},
        "product.txt",
    ),
    DemoJob(
        "Photo on another ground",
        "remove-background",
        {"image_url": PHOTO, "background_color": "#F4D9C6", "drop_shadow": True},
        "product-on-peach.webp",
    ),
    DemoJob(
        "Photo with a logo",
        "branding",
        {"input_image": PHOTO, "logo_url": "a-red-circle.webp"},
        "product-branded.webp",
    ),
    DemoJob(
        "Film of a photo",
        "video",
        {
            "prompt": "slow zoom in, drifting to the left",
            "input_image": PHOTO,
            "width": 640,
            "height": 480,
            "duration_seconds": 2.0,
        },
        "product.mp4",
    ),
    DemoJob("Film, cut out", "remove-background", {"input_video": "product.mp4"}, "product-cutout.webm"),
    DemoJob(
        "Film with sound",
        "video",
        {
            "prompt": "pan to the right, rain and thunder",
            "model": "demo-camera",
            "input_image": PHOTO,
            "sound": True,
            "width": 320,
            "height": 256,
            "duration_seconds": 2.0,
        },
        "product-in-the-rain.mp4",
    ),
    DemoJob(
        "Picture that moves as a film does",
        "video",
        {
            "input_image": "a-green-ring.webp",
            "motion_video": "product.mp4",
            "model": "demo-motion",
            "width": 256,
            "height": 256,
        },
        "moved-ring.mp4",
    ),
    # few pixels, since a network enlarges every frame
    DemoJob(
        "Film from words",
        "video",
        {
            "prompt": "a yellow star on a purple background, fast zoom out",
            "width": 192,
            "height": 128,
            "duration_seconds": 1.0,
        },
        "a-star.mp4",
    ),
    DemoJob(
        "Film between two pictures",
        "video",
        {
            "input_image": "a-yellow-star.webp",
            "last_image": "a-green-ring.webp",
            "width": 256,
            "height": 256,
            "duration_seconds": 1.0,
        },
        "star-to-ring.mp4",
    ),
    DemoJob("Film, enlarged", "upscale", {"input_video": "a-star.mp4", "scale": 2}, "a-large-star.mp4"),
    DemoJob("Film, smoother", "interpolate", {"input_video": "a-star.mp4", "factor": 2}, "a-smooth-star.mp4"),
    DemoJob("Films, joined", "join", {"films": ["product.mp4", "a-star.mp4"]}, "both-films.mp4"),
    DemoJob("Mesh of the cut-out", "3d", {"image_path": "product-cutout.png", "mode": "paint"}, "product.glb"),
    DemoJob(
        "Speech", "speech", {"text": "A mug, thrown by hand, glazed in teal, and fired twice."}, "about-the-mug.wav"
    ),
    DemoJob("Speech, written down", "transcript", {"input_audio": "about-the-mug.wav"}, "about-the-mug.srt"),
    DemoJob(
        "Presenter who says it",
        "avatar",
        {"input_image": PRESENTER, "input_audio": "about-the-mug.wav"},
        "presenter.mp4",
    ),
    DemoJob(
        "Speech, by a network",
        "speech",
        {"text": "Thrown by hand, and fired twice.", "model": "demo-kokoro", "voice": "jm_kumo"},
        "fired-twice.mp3",
    ),
    DemoJob("Sound effect", "sound", {"prompt": "rain and thunder"}, "rain-and-thunder.mp3"),
    DemoJob("Music", "music", {"prompt": "a happy tune", "duration_seconds": 15}, "a-happy-tune.mp3"),
    DemoJob(
        "Vectors of three texts",
        "embedding",
        {"texts": ["red running shoes", "a pair of red sneakers", "the annual report"]},
        "vectors.json",
    ),
    DemoJob(
        "Text from a template",
        "text",
        {
            "template": "caption",
            "variables": {"subject": "a mug that is thrown by hand", "count": "two"},
            "max_tokens": 100,
            "seed": 1,
        },
        "captions.md",
    ),
)
