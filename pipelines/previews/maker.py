"""Previews of a job's outputs, made in threads of the encoder process while that encodes the outputs themselves.

The arrays of pictures, the frames of a film and the samples of a recording are known before the encoding; a mesh names
a picture that shows it (`Output.picture`). A preview that cannot be made is left out, and the log says why: an output
is worth more than its thumbnail.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.previews.pictures import picture_previews, write_poster, write_thumbnail
from pipelines.previews.sounds import peaks, peaks_file
from pipelines.runtime.protocol import Output, Outputs, PreviewFile, RawOutput

log = logging.getLogger(__name__)

THREADS = 2
Previews = tuple[PreviewFile, ...]


class PreviewMaker:
    """Makes the previews of one job in `folder`; a context, at whose end its threads are done."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="previews")
        self._begun: dict[str, Future[Previews]] = {}

    def __enter__(self) -> "PreviewMaker":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, raw: RawOutput, output_format: str) -> None:
        """Begin with what the arrays show; pictures will be stored in `output_format`."""
        for name, array in raw.arrays.items():
            if name.isdigit() and array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] in (3, 4):
                self._begin(name, partial(self._pictures, name, array, f"image/{output_format}"))
        frames, samples, fps = raw.arrays.get("frames"), raw.arrays.get("samples"), raw.metadata.get("fps")
        if frames is not None and isinstance(fps, int):
            self._begin("video", partial(self._film, frames, raw.arrays.get("alpha"), fps))
        if samples is not None:
            self._begin("audio", partial(self._sound, samples))

    def finish(self, outputs: Outputs) -> Outputs:
        """Return the outputs with their previews, once these are made."""
        files = tuple(
            msgspec.structs.replace(output, previews=self._of(output, number))
            for number, output in enumerate(outputs.files)
        )
        return msgspec.structs.replace(outputs, files=files)

    def _begin(self, name: str, make: Callable[[], Previews]) -> None:
        self._begun[name] = self._pool.submit(make)

    def _of(self, output: Output, number: int) -> Previews:
        kind = output.media_type.partition("/")[0]
        made = self._result(output, self._begun.get(str(number) if kind == "image" else kind))
        if kind == "image" and not made:
            made = self._result(output, self._pool.submit(self._from_file, output.path, output.media_type))
        if output.picture is not None:
            made += self._result(output, self._pool.submit(self._shown, output.picture, kind))
        return made

    def _result(self, output: Output, future: "Future[Previews] | None") -> Previews:
        try:
            return future.result() if future is not None else ()
        except Exception as error:
            log.warning("previews: not made output=%s reason=%s: %s", output.path, type(error).__name__, error)
            return ()

    def _pictures(self, stem: str, array: NDArray[np.uint8], stored: str) -> Previews:
        return picture_previews(Image.fromarray(np.ascontiguousarray(array)), stored, stem, self._folder)

    def _film(self, frames: NDArray[np.uint8], alpha: NDArray[np.uint8] | None, fps: int) -> Previews:
        from pipelines.previews.films import OnWhite, film_previews  # and with it PyAV, which only films need

        return film_previews(frames if alpha is None else OnWhite(frames, alpha), fps, "0", self._folder)

    def _sound(self, samples: NDArray[np.float32]) -> Previews:
        channels = samples.reshape(len(samples), -1)
        pairs = peaks(channels.min(axis=1), channels.max(axis=1))
        return (peaks_file(pairs, "0", self._folder),)

    def _from_file(self, path: str, media_type: str) -> Previews:
        with Image.open(self._folder / path) as image:
            return picture_previews(image, media_type, Path(path).stem, self._folder)

    def _shown(self, path: str, kind: str) -> Previews:
        """Return the previews of what the picture at `path` shows; a player draws a recording from its peaks."""
        stem = Path(path).stem + "-of"
        with Image.open(self._folder / path) as image:
            small = write_thumbnail(image, stem, self._folder)
            return (small, write_poster(image, stem, self._folder)) if kind == "model" else (small,)
