"""Make the images of README.md from what `make demo` has made: `python scripts/readme_images.py [out]`.

The pixels are the demo models' own, made smaller. A cut-out lies on a checkerboard, a video becomes an animated WebP,
and a mesh is drawn as its preview is.
"""

import argparse
from pathlib import Path

import av
import numpy as np
import trimesh
from PIL import Image, ImageOps

from pipelines.mesh.render import preview
from pipelines.mesh.surface import Mesh

SHAPES = ("a-red-circle.webp", "a-yellow-star.webp", "a-green-ring.webp")
FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
SIDE = 240
"""Height of every image, in pixels."""
FRAMES_PER_SECOND = 8
SQUARE = 12
"""Side of a square of the checkerboard, in pixels."""


def shapes(out: Path) -> Image.Image:
    """Return the three images of `make demo`, side by side."""
    made = [Image.open(out / file).convert("RGB") for file in SHAPES]
    strip = Image.new("RGB", (SIDE * len(made) + 8 * (len(made) - 1), SIDE), "white")
    for number, image in enumerate(made):
        strip.paste(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (number * (SIDE + 8), 0))
    return strip


def cutout(out: Path) -> Image.Image:
    """Return the cut-out over a checkerboard."""
    image = _small(Image.open(out / "product-cutout.png").convert("RGBA"))
    rows, columns = np.indices((image.height, image.width)) // SQUARE
    squares = np.where((rows + columns) % 2, 255, 216).astype(np.uint8)
    return Image.alpha_composite(Image.fromarray(squares).convert("RGBA"), image).convert("RGB")


def frames(out: Path) -> list[Image.Image]:
    """Return `FRAMES_PER_SECOND` frames of each second of the video."""
    with av.open(str(out / "product.mp4")) as video:
        rate = video.streams.video[0].average_rate
        every = max(1, round(float(rate or 24) / FRAMES_PER_SECOND))
        return [_small(frame.to_image()) for number, frame in enumerate(video.decode(video=0)) if number % every == 0]


def mesh(out: Path) -> Image.Image:
    """Return the mesh as a preview shows it."""
    loaded = trimesh.load(out / "product.glb", force="mesh")
    texture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))
    uv = np.asarray(loaded.visual.uv, np.float32)
    vertices, faces = np.asarray(loaded.vertices, np.float32), np.asarray(loaded.faces, np.int32)
    return preview(Mesh(vertices, faces, uv, texture), 512).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, nargs="?", default=Path("out"))
    out = parser.parse_args().out
    for name, image in (("shapes", shapes(out)), ("cutout", cutout(out)), ("mesh", mesh(out))):
        image.save(FOLDER / f"demo-{name}.webp", quality=80, method=6)
    first, *others = frames(out)
    first.save(
        FOLDER / "demo-video.webp",
        save_all=True, append_images=others, duration=1000 // FRAMES_PER_SECOND, loop=0, quality=60, method=6,
    )  # fmt: skip


def _small(image: Image.Image) -> Image.Image:
    return ImageOps.contain(image, (10_000, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
