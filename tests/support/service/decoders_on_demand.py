"""The decoders of a CPU worker that start with their first file: two processes, seconds of a core, seldom needed.

`tests/integration/cli/commands/host/test_up.py` has a CPU worker whose decoders start with it, as in production.
"""

from workers.ingest import service
from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_messages import SanitizeRequest
from workers.previews import drawer
from workers.remote import decoder


class SanitizerOnDemand(Sanitizer):
    """A sanitizer whose process starts with the first request."""

    _is_made = False

    def __init__(self, module: str = "workers.ingest.sanitizer_process") -> None:
        super().__init__(module)
        self._is_made = True

    def _start(self) -> None:
        if self._is_made:
            super()._start()

    def _send(self, request: SanitizeRequest, pipe: int, folder: int) -> None:
        if self._control is None:
            self._start()
        super()._send(request, pipe, folder)


def start_decoders_on_demand() -> None:
    """Let the CPU workers of this process have such decoders from now on."""
    for user in (service, drawer, decoder):
        user.Sanitizer = SanitizerOnDemand  # type: ignore[attr-defined]
