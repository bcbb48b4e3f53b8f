"""Latents as small pictures: a fixed linear map for each latent space."""
