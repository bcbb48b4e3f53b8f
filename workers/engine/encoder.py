"""The encoder process: turns arrays into files on the CPU, so that the device never waits for an encoding.

`python -m workers.engine.encoder FD`. It imports torch only for a watermark, and ends when its socket closes.
"""

import logging
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from core.errors.base import AtelierError
from core.errors.failures import EncodeFailed
from core.logs import log_context, start_logs
from core.settings import read_settings
from jobs.job import JobError
from jobs.params.base import read_params
from jobs.params.registry import PARAMS_OF
from pipelines.branding.finish import finish
from pipelines.catalog.loader import Catalog, load_catalog
from pipelines.previews.maker import PreviewMaker
from pipelines.runtime.protocol import load_raw
from pipelines.runtime.registry import encoder
from workers.ipc.channel import Channel, ChannelClosed
from workers.ipc.messages import Encode, Encoded, Failed, Ready

log = logging.getLogger(__name__)


def serve(channel: Channel, catalog: Catalog, *, previews: bool) -> None:
    """Answer requests until the supervisor is gone; `previews`: make these too."""
    while True:
        try:
            request = channel.receive()
            assert isinstance(request, Encode)
            with log_context(job_id=request.job_id):
                channel.send(_encode(request, catalog, previews=previews))
        except ChannelClosed:
            os._exit(0)


def _encode(request: Encode, catalog: Catalog, *, previews: bool) -> Encoded | Failed:
    try:
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
    except Exception as error:
        log.exception("encoder: failed ticket=%s", request.ticket)
        shown = error if isinstance(error, AtelierError) else EncodeFailed()
        # An OSError (a full disk, say) is the fault of this machine, not of the job.
        return Failed(ticket=request.ticket, error=JobError(shown.code, shown.detail), fatal=isinstance(error, OSError))
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
