"""The demo image model: a small text-to-image diffusion model trained on images that this package draws."""
