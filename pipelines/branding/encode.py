"""Branded pictures as files; runs in the encoder process, after `pipelines.branding.finish`."""

from pathlib import Path

from jobs.params.branding import BrandingParams
from pipelines.image import encode as image_encoder
from pipelines.runtime.protocol import Outputs, RawOutput


def encode(raw: RawOutput, params: BrandingParams, folder: Path) -> Outputs:
    """Write the picture of `raw`. Raises like `image.encode`."""
    return image_encoder.encode(raw, params, folder)
