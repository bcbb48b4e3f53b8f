"""The columns of a table of models that say what each takes; nothing in them is measured unless they say so."""

from typing import Protocol

from rich.filesize import decimal

TITLES = ["on disk", "VRAM", "card from", "seconds"]


class ModelNeeds(Protocol):
    """What the answers of the API and the states of `atelier weights` have in common."""

    @property
    def vram_bytes(self) -> int:
        """Estimate of what it takes of a GPU."""

    @property
    def weights_bytes(self) -> dict[str, int]:
        """Its weights in memory, by precision."""

    @property
    def smallest_card_gb(self) -> int | None:
        """The smallest card that has room for it."""

    @property
    def estimated_seconds(self) -> float:
        """Seconds of a job."""

    @property
    def estimated_on(self) -> str | None:
        """The hardware of these seconds."""

    @property
    def is_measured(self) -> bool:
        """Whether they were measured there."""


def needs(model: ModelNeeds, on_disk: str) -> list[str]:
    """Return the cells of `TITLES`; `on_disk` are its files, as `cli.output.sizes.format_disk` words them."""
    seconds = f"{model.estimated_seconds:g}, {model.estimated_on or 'a GPU'}"
    return [
        on_disk,
        format_vram(model) if model.vram_bytes or model.weights_bytes else "none",
        f"{model.smallest_card_gb} GB" if model.smallest_card_gb else "",
        seconds if model.is_measured else f"{seconds}, not measured",
    ]


def format_vram(model: ModelNeeds) -> str:
    """Format the estimate, and the weights by precision; equal ones together."""
    sizes: dict[int, list[str]] = {}
    for dtype, size in model.weights_bytes.items():
        sizes.setdefault(size, []).append(dtype)
    parts = ", ".join(f"{decimal(size)} {'/'.join(dtypes)}" for size, dtypes in sorted(sizes.items()))
    return f"about {decimal(model.vram_bytes)}" + (f" (weights {parts})" if parts else "")
