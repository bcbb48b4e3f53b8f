"""What a table of models says of the needs of each."""

import msgspec

from cli.output.model_columns import TITLES, needs

BY_PRECISION = {"bfloat16": 20 * 10**9, "float16": 20 * 10**9, "float32": 40 * 10**9}


class Needs(msgspec.Struct):
    vram_bytes: int = 24 * 10**9
    weights_bytes: dict[str, int] = msgspec.field(default_factory=BY_PRECISION.copy)
    smallest_card_gb: int | None = 24
    estimated_seconds: float = 1.5
    estimated_on: str | None = "H100"
    is_measured: bool = False


def test_memory_card_and_seconds_are_named() -> None:
    memory = "about 24.0 GB (weights 20.0 GB bfloat16/float16, 40.0 GB float32)"
    cells = ["57.0 GB", memory, "24 GB", "1.5, H100, not measured"]
    assert cells == needs(Needs(), "57.0 GB")
    assert ["on disk", "VRAM", "card from", "seconds"] == TITLES
    assert "1.5, H100" == needs(Needs(is_measured=True), "")[3]


def test_what_is_not_known_is_not_said() -> None:
    found = needs(Needs(weights_bytes={}, estimated_on=None), "")
    assert ["", "about 24.0 GB", "24 GB", "1.5, a GPU, not measured"] == found


def test_a_model_that_needs_no_card_says_so() -> None:
    assert ["none", ""] == needs(Needs(vram_bytes=0, weights_bytes={}, smallest_card_gb=None), "")[1:3]


def test_a_model_that_no_card_holds_still_says_what_it_takes() -> None:
    assert "about 200.0 GB" == needs(Needs(vram_bytes=200 * 10**9, weights_bytes={}, smallest_card_gb=None), "")[1]
