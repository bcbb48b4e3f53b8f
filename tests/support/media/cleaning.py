"""What the tests of the cleaners share."""

from collections.abc import Callable

import pytest

from core.errors.base import AtelierError
from core.settings import Settings

MAX_PIXELS = Settings().input_max_pixels


def code_of(clean: Callable[..., object], data: bytes, kind: str = "image") -> str:
    """The code with which a file is refused; `clean` is the fixture."""
    with pytest.raises(AtelierError) as caught:
        clean(data, kind)
    return caught.value.code
