"""Draws docs/images/presenter.png, the face of which `make demo` makes an avatar: `python scripts/presenter.py`.

It stands where a request takes a face to be that does not say where it is.
"""

from pathlib import Path

from PIL import Image, ImageDraw

FILE = Path(__file__).resolve().parents[1] / "docs" / "images" / "presenter.png"
SIDE, LARGER = 512, 4
"""Pixels, and how many times as large it is drawn."""
HAIR, SKIN, SHADE, LIPS = "#4a2f27", "#eab890", "#c58b66", "#b5544f"


def presenter() -> Image.Image:
    """Return the picture."""
    side = SIDE * LARGER
    picture = Image.new("RGB", (side, side), "#cfe3e6")
    draw = ImageDraw.Draw(picture)

    def around(x: float, y: float, right: float, down: float) -> tuple[float, float, float, float]:
        return (x - right) * side, (y - down) * side, (x + right) * side, (y + down) * side

    draw.ellipse(around(0.5, 1.06, 0.42, 0.3), fill="#2b6777")
    draw.rounded_rectangle(around(0.5, 0.73, 0.07, 0.11), radius=side // 20, fill="#d9a27c")
    draw.ellipse(around(0.5, 0.36, 0.245, 0.27), fill=HAIR)
    draw.ellipse(around(0.5, 0.44, 0.205, 0.265), fill=SKIN)
    draw.pieslice(around(0.5, 0.32, 0.21, 0.2), 185, 355, fill=HAIR)
    for x in (0.42, 0.58):
        draw.ellipse(around(x, 0.42, 0.034, 0.021), fill="white")
        draw.ellipse(around(x, 0.42, 0.017, 0.019), fill="#38302c")
        draw.arc(around(x, 0.3825, 0.05, 0.0275), 205, 335, fill=HAIR, width=side // 90)
    draw.arc(around(0.5, 0.48, 0.035, 0.04), 40, 150, fill=SHADE, width=side // 110)
    draw.ellipse(around(0.5, 0.575, 0.062, 0.013), fill=LIPS)
    draw.line([0.44 * side, 0.575 * side, 0.56 * side, 0.575 * side], fill="#8e3a38", width=side // 250)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    presenter().save(FILE, optimize=True)
