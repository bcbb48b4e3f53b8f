"""The encoder process: turns arrays into files on the CPU, so that the device never waits for an encoding.

`python -m workers.engine.encoder FD`. It imports torch only for a watermark, and ends when its socket closes.
"""

import logging
import os
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.errors.base import AtelierError
from core.errors.failures import EncodeFailed
from core.logs import log_context, start_logs
from core.settings import read_settings
from jobs.job import JobError
from jobs.params.base import read_params
from jobs.params.registry import PARAMS_OF
from jobs.params.speech import SpeechParams
from pipelines.branding.finish import finish
from pipelines.catalog.loader import Catalog, load_catalog
from pipelines.previews.maker import PreviewMaker
from pipelines.runtime.protocol import load_raw
from pipelines.runtime.registry import encoder
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import AnyMessage, Encode, Encoded, EncodedPart, EncodePart, Failed, Ready

if TYPE_CHECKING:
    from pipelines.speech.recording import GrowingRecording

log = logging.getLogger(__name__)

MOST_STREAMED = 4
"""Recordings that are open at once, at most."""


def serve(channel: Channel, catalog: Catalog, *, previews: bool) -> None:
    """Answer requests until the supervisor is gone; `previews`: make these too."""
    streamed = _StreamedRecordings()
    while True:
        try:
            request = channel.receive()
            assert isinstance(request, Encode | EncodePart)
            with log_context(job_id=request.job_id):
                if isinstance(request, EncodePart):
                    channel.send(_answer_to(request, partial(streamed.add, request)))
                else:
                    streamed.forget(request.ticket)
                    channel.send(_answer_to(request, partial(_encode, request, catalog, previews=previews)))
        except ChannelClosed:
            os._exit(0)


class _StreamedRecordings:
    """The recordings that are streamed at present, by ticket: usually one, since one job computes at a time."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, GrowingRecording] = OrderedDict()

    def add(self, request: EncodePart) -> EncodedPart:
        """Write a part of a recording, the first of which begins it; raises what the encoding raises."""
        if request.number == 0:
            self._begin(request)
        recording = self._open[request.ticket]
        begin = 0 if request.number == 0 else recording.size
        recording.add(np.load(request.part, allow_pickle=False))
        return EncodedPart(ticket=request.ticket, file=str(recording.path), begin=begin, end=recording.size)

    def forget(self, ticket: str) -> None:
        """Close the recording of a ticket, if there is one: all of it is encoded now."""
        if ticket in self._open:
            self._open.pop(ticket).abandon()

    def _begin(self, request: EncodePart) -> None:
        from pipelines.speech.encode import open_recording  # with codecs, which an encoder of images does without

        self.forget(request.ticket)
        while len(self._open) >= MOST_STREAMED:  # their jobs have ended otherwise
            self._open.popitem(last=False)[1].abandon()
        folder = Path(request.folder)
        folder.mkdir(parents=True, exist_ok=True)
        params = read_params(request.params, SpeechParams)
        self._open[request.ticket], _ = open_recording(params, request.rate, folder, is_streamed=True)


def _answer_to(request: Encode | EncodePart, work: Callable[[], Encoded | EncodedPart]) -> AnyMessage:
    try:
        return work()
    except Exception as error:
        log.exception("encoder: failed ticket=%s", request.ticket)
        shown = error if isinstance(error, AtelierError) else EncodeFailed()
        # An OSError (a full disk, say) is the fault of this machine, not of the job.
        return Failed(ticket=request.ticket, error=JobError(shown.code, shown.detail), fatal=isinstance(error, OSError))


def _encode(request: Encode, catalog: Catalog, *, previews: bool) -> Encoded:
    folder = Path(request.folder)
    folder.mkdir(parents=True, exist_ok=True)
    raw = load_raw(Path(request.raw))
    params = read_params(request.params, PARAMS_OF[request.modality])
    finished = finish(raw, params, request.inputs)
    encode = encoder(catalog.get(request.model))
    if previews:
        with PreviewMaker(folder) as maker:
            maker.begin(finished.raw, params.output_format)
            outputs = maker.finish(finished.described(encode(finished.raw, params, folder)))
    else:
        outputs = finished.described(encode(finished.raw, params, folder))
    warnings = (*raw.warnings, *outputs.warnings)
    return Encoded(ticket=request.ticket, outputs=outputs, warnings=warnings, metadata=raw.metadata)


def main(fd: int) -> None:
    """Serve the supervisor at the other end of `fd`."""
    settings = read_settings()
    start_logs(settings, "encoder")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's, beside an engine that computes
    channel = Channel(socket.socket(fileno=fd))
    channel.receive()  # the message to begin
    channel.send(Ready())
    serve(channel, load_catalog(settings.catalog), previews=settings.previews)


if __name__ == "__main__":
    with suppress(ChannelClosed):
        main(int(sys.argv[1]))
