"""The demo image model: a small text-to-image diffusion model trained on pictures this package draws."""
