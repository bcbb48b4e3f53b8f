"""The demo model behind LitServe: FastAPI in one process, and the model in a worker process of its own.

`python -m benchmarks.running.behind_litserve PORT` is the server, with LitServe's defaults. The model is loaded, run
and encoded by the code that the service uses, with the same settings. As LitServe's own examples do it,
`encode_response` makes the file in the worker, and the answer is the file.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import litserve
import litserve.server
import msgspec
from fastapi import Response

from core.settings import read_settings
from jobs.params.image import ImageParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime import device as runtime
from pipelines.runtime.protocol import Inputs, RawOutput, RunContext
from pipelines.runtime.registry import encoder
from pipelines.weights.lockfile import read_lock
from pipelines.weights.verify import weights_folder


class Demo(litserve.LitAPI):
    """One model, named by each request as the service has it."""

    def setup(self, device: str) -> None:
        """Load the demo model and warm it up."""
        settings = read_settings()
        prepared = runtime.prepare(settings.device, settings.cpu_threads)
        self._spec = load_catalog(settings.catalog).get("demo-shapes")
        lock, weights = read_lock(settings.weights_lock), weights_folder(settings.weights_dir)
        self._pipeline: Any = runtime.load(self._spec, weights, lock, prepared.name)
        self.encode_response(self.predict(self.decode_request({"prompt": "a red circle"})))

    def decode_request(self, request: dict[str, Any]) -> ImageParams:
        """Return the parameters of a request, of which one that is missing has the service's default."""
        return msgspec.convert(request, ImageParams)

    def predict(self, params: ImageParams) -> tuple[ImageParams, RawOutput]:
        """Compute."""
        context = RunContext(seed=params.seed, progress=lambda fraction, stage: None, warn=lambda text: None)
        return params, self._pipeline.run(params, Inputs(), context)

    def encode_response(self, output: tuple[ImageParams, RawOutput]) -> Response:
        """Return the file."""
        params, raw = output
        with tempfile.TemporaryDirectory() as folder:
            encoder(self._spec)(raw, params, Path(folder))
            (file,) = Path(folder).iterdir()
            return Response(file.read_bytes(), media_type=f"image/{params.output_format}")


if __name__ == "__main__":
    litserve.server._MCP_AVAILABLE = False  # it wants mcp 1, which the service's own mcp 2 is taken for
    server = litserve.LitServer(Demo(), accelerator="cpu", timeout=120)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", generate_client_file=False)
