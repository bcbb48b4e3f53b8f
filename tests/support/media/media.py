"""Small media files, and `data:` URLs of them."""

import base64
import io

from PIL import Image


def image_file(format_: str = "PNG", size: tuple[int, int] = (8, 8), color: str = "red") -> bytes:
    """An image of one color."""
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, format_)
    return file.getvalue()


def data_url(content: bytes, media_type: str = "image/png") -> str:
    """`content` as a base64 `data:` URL."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
