"""Music as files: as any other sound. Runs in the encoder process, without torch."""

from pipelines.sound.encode import encode

__all__ = ["encode"]
