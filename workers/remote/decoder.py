"""Files of a remote backend as the arrays of an engine: decoded in a confined process, in the size asked for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.settings import Settings
from jobs.params.media import MediaKind
from pipelines.image.size import SizePlan
from pipelines.runtime.protocol import RawOutput
from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_messages import SOURCE, SanitizeRequest
from workers.remote.decoding_messages import DECODED, DecodeResult
from workers.remote.outcomes import RemoteAway

MAX_SAMPLE = 32768


class RemoteDecoder:
    """The confined process, which starts with the first file and again after its death; any thread may use it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process = Sanitizer("workers.remote.decoding_process")

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def images(self, files: Sequence[Path], plan: SizePlan) -> RawOutput:
        """Return pictures in the size that was asked for, with a warning where the backend made another one.

        Raises `RemoteAway` for a file that is not a picture.
        """
        arrays, warnings = dict[str, NDArray[Any]](), list[str]()
        for number, file in enumerate(files):
            found, content = self._decode("image", file)
            shape = found.height, found.width, found.channels
            if found.channels not in (3, 4) or len(content) != shape[0] * shape[1] * shape[2]:
                raise RemoteAway("bad_answer", "pixels of no shape", may_have_computed=True)
            image = Image.fromarray(np.frombuffer(content, np.uint8).reshape(shape))
            if image.size != plan.make:
                made, asked = (f"{width}x{height}" for width, height in (image.size, plan.asked))
                warnings.append(f"the backend made {made}; resized to {asked}")
                image = image.resize(plan.asked, Image.Resampling.LANCZOS)
            arrays[str(number)] = np.asarray(plan.finish(image))
        return RawOutput(arrays=arrays, warnings=tuple(dict.fromkeys(warnings)))

    def speech(self, file: Path) -> RawOutput:
        """Return a recording. Raises `RemoteAway` for a file that is none, or is silent."""
        found, content = self._decode("audio", file)
        samples = np.frombuffer(content, np.dtype("<i2")).astype(np.float32) / MAX_SAMPLE
        return RawOutput(arrays={"samples": samples}, metadata={"sample_rate": found.rate})

    def _decode(self, kind: MediaKind, file: Path) -> tuple[DecodeResult, bytes]:
        folder = file.with_name(f"{file.name}-decoded")
        folder.mkdir()
        file.replace(folder / SOURCE)
        request = SanitizeRequest(kind, self._settings.sanitise_timeout, self._settings.input_max_pixels)
        answered = self._process.ask(request, folder)
        try:
            found = msgspec.json.decode(answered, type=DecodeResult)
            decoded = folder / DECODED
            if found.message or decoded.is_symlink():
                raise RemoteAway("bad_answer", found.message or "a link", may_have_computed=True)
            return found, decoded.read_bytes()
        except (msgspec.MsgspecError, FileNotFoundError) as error:
            raise RemoteAway("bad_answer", f"not decoded: {answered[:200]!r}", may_have_computed=True) from error
