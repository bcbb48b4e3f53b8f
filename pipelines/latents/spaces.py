"""The latent spaces that can be shown, as `spaces.toml` lists them. No torch."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

TOLERANCE = 0.01
"""Scaling factors that differ by less are of the same space."""


class LatentSpace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One latent space and its linear map to colors, red, green and blue in -1 to 1.

    It is known by the class of its autoencoder, the number of its channels and, where that is not enough, the scaling
    factor. `factors` has a row for each channel and, like `bias`, three columns for each of the `spread` x `spread`
    pixels of a latent. `same_as` names a space with the same map.
    """

    name: str
    autoencoder: str
    channels: int
    scaling_factor: float | None = None
    spread: int = 1
    factors: tuple[tuple[float, ...], ...] = ()
    bias: tuple[float, ...] = ()
    same_as: str | None = None

    def is_of(self, autoencoder: Any) -> bool:
        """Return whether this is the space of a loaded autoencoder of diffusers."""
        config = autoencoder.config
        channels = config.get("latent_channels", config.get("z_dim"))
        if (type(autoencoder).__name__, channels) != (self.autoencoder, self.channels):
            return False
        scaling: float | None = self.scaling_factor
        return scaling is None or abs(config.get("scaling_factor", 1.0) - scaling) < TOLERANCE


class _Spaces(msgspec.Struct, frozen=True):
    space: tuple[LatentSpace, ...]


@cache
def latent_spaces() -> tuple[LatentSpace, ...]:
    """Return all spaces, each with its own map."""
    text = Path(__file__).with_name("spaces.toml").read_bytes()
    listed = {space.name: space for space in msgspec.toml.decode(text, type=_Spaces).space}
    return tuple(
        msgspec.structs.replace(space, factors=listed[space.same_as].factors, bias=listed[space.same_as].bias)
        if space.same_as
        else space
        for space in listed.values()
    )


def space_of(pipe: Any) -> LatentSpace | None:
    """Return the space of a diffusers pipeline's autoencoder; None for one that is not listed."""
    autoencoder = getattr(pipe, "vae", None)
    return next((space for space in latent_spaces() if autoencoder is not None and space.is_of(autoencoder)), None)
