"""A receiver of webhooks: an HTTP server that answers every call and says which paths were called."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Receiver:
    """The receiver at `url`; a context manager."""

    def __init__(self) -> None:
        self._called: set[str] = set()
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(204)
                self.end_headers()
                receiver._note(self.path)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def await_call(self, path: str, seconds: float) -> None:
        """Wait until `path` has been called. Raises `TimeoutError`."""
        with self._changed:
            if not self._changed.wait_for(lambda: path in self._called, seconds):
                raise TimeoutError(f"{path} was not called within {seconds:g} s")

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _note(self, path: str) -> None:
        with self._changed:
            self._called.add(path)
            self._changed.notify_all()
