"""The process that draws previews of uploads: `python -m workers.previews.drawing_process FD CODE`.

It is a second sanitizer process (`workers/ingest/sanitizer_process.py`), with more decoders and an encoder of films:
the same limits, the same confinement, two forked processes for each file.
"""

import socket
import sys

import pypdfium2  # type: ignore[import-untyped]

from workers.ingest.sanitizer_process import load_decoders, serve
from workers.previews.drawing import draw

if __name__ == "__main__":
    load_decoders()
    pypdfium2.PdfDocument.new().close()  # its library, before a confined process needs it
    serve(socket.socket(fileno=int(sys.argv[1])), draw)
