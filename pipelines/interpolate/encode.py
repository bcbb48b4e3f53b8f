"""Films with more frames as files: as any other film. Runs in the encoder process, without torch."""

from pipelines.video.encode import encode

__all__ = ["encode"]
