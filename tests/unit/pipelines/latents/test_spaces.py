"""The table of latent spaces, and which of them an autoencoder has."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.latents.spaces import latent_spaces, space_of


def pipe(autoencoder: str, **config: Any) -> Any:
    """A pipeline with an autoencoder of this class."""
    return SimpleNamespace(vae=type(autoencoder, (), {"config": config})())


@pytest.mark.parametrize("space", latent_spaces(), ids=lambda space: space.name)
def test_a_space_has_a_row_for_each_channel(space: Any) -> None:
    columns = 3 * space.spread**2
    assert [columns] * space.channels == [len(row) for row in space.factors]
    assert columns == len(space.bias)


@pytest.mark.parametrize(
    ("autoencoder", "config", "name"),
    [
        ("AutoencoderKL", {"latent_channels": 4, "scaling_factor": 0.13025}, "sdxl"),
        ("AutoencoderKL", {"latent_channels": 16, "scaling_factor": 0.3611}, "flux"),
        ("AutoencoderKLFlux2", {"latent_channels": 32}, "flux2"),
        ("AutoencoderKLQwenImage", {"z_dim": 16}, "qwen-image"),
        ("AutoencoderKLWan", {"z_dim": 16}, "wan2.1"),
        ("AutoencoderKLWan", {"z_dim": 48}, "wan2.2"),
        ("AutoencoderDC", {"latent_channels": 16, "scaling_factor": 1.3158311817465969}, "demo-shapes"),
    ],
)
def test_published_configs_are_known(autoencoder: str, config: dict[str, Any], name: str) -> None:
    space = space_of(pipe(autoencoder, **config))
    assert space is not None
    assert name == space.name


@pytest.mark.parametrize(
    ("autoencoder", "config"),
    [
        ("AutoencoderKL", {"latent_channels": 4, "scaling_factor": 0.18215}),  # Stable Diffusion 1
        ("AutoencoderKL", {"latent_channels": 16, "scaling_factor": 1.5305}),  # Stable Diffusion 3
        ("AutoencoderKLLTXVideo", {"latent_channels": 128}),
        ("AutoencoderDC", {"latent_channels": 32, "scaling_factor": 0.41407}),  # SANA
    ],
)
def test_others_are_not_shown(autoencoder: str, config: dict[str, Any]) -> None:
    assert space_of(pipe(autoencoder, **config)) is None


def test_a_pipeline_without_an_autoencoder_is_not_shown() -> None:
    assert space_of(SimpleNamespace()) is None
