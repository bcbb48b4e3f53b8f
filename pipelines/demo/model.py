"""Builds the demo model's components: a ZImagePipeline small enough to train and to run on a CPU."""

from __future__ import annotations

from diffusers import AutoencoderDC

LATENT_CHANNELS = 16


def build_vae() -> AutoencoderDC:
    """A 32-fold autoencoder (256 x 256 x 3 to 8 x 8 x 16) with no layer wider than its neighbourhood.

    ZImagePipeline reads three settings that AutoencoderDC does not declare; they are registered beside its own.
    """
    vae = AutoencoderDC(
        latent_channels=LATENT_CHANNELS,
        encoder_block_types="ResBlock",
        decoder_block_types="ResBlock",
        encoder_block_out_channels=(32, 32, 64, 64, 64, 128),
        decoder_block_out_channels=(16, 32, 64, 128, 128, 128),
        encoder_layers_per_block=(0, 1, 1, 1, 1, 0),
        decoder_layers_per_block=(0, 1, 2, 2, 1, 1),
        encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6,
        scaling_factor=1.0,
    )
    vae.register_to_config(block_out_channels=(16, 32, 64, 128, 128, 128), shift_factor=0.0)
    return vae
