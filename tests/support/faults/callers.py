"""A client that writes down its requests and their answers, for the checker (`promises.py`)."""

import hashlib
import time
from typing import Any, Literal

import httpx
import msgspec

from tests.support.wait import until

ROUTE = "/generate/image/v1"
Verb = Literal["submit", "look", "cancel", "delete"]


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer. Times are monotonic seconds; `status` is that of HTTP, 0 when none came."""

    verb: Verb
    asked: float
    answered: float
    status: int
    job_id: str = ""
    state: str = ""
    """The job's status, as the answer gives it."""
    outputs: tuple[str, ...] = ()
    """SHA-256 of each output that the answer names."""
    code: str = ""
    """Of the problem, if it is one."""
    key: str = ""
    """Idempotency-Key."""
    body: str = ""
    """SHA-256 of the request's body."""

    @property
    def good(self) -> bool:
        """Whether it was answered 2xx."""
        return 200 <= self.status < 300


class Caller:
    """A client of the service, for any number of threads."""

    def __init__(self, url: str, api_key: str, log: list[Exchange]) -> None:
        self._client = httpx.Client(base_url=url, headers={"X-API-Key": api_key}, timeout=30.0)
        self._log = log

    def submit(self, body: dict[str, Any], *, key: str = "") -> Exchange:
        """Ask once for a job."""
        content = msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        digest = hashlib.sha256(content).hexdigest()
        return self._ask("submit", "POST", ROUTE, key=key, body=digest, content=content, headers=headers)

    def insist(self, body: dict[str, Any], *, key: str, timeout: float = 60.0) -> Exchange:
        """Ask for a job with the same Idempotency-Key until the answer is 2xx."""
        return until(
            lambda: exchange if (exchange := self.submit(body, key=key)).good else None, timeout, "a 2xx", every=0.1
        )

    def look(self, job_id: str) -> Exchange:
        """Ask how a job is."""
        return self._ask("look", "GET", f"/jobs/v1/{job_id}", job_id)

    def cancel(self, job_id: str) -> Exchange:
        """Cancel a job."""
        return self._ask("cancel", "POST", f"/jobs/v1/{job_id}/cancel", job_id)

    def delete(self, job_id: str) -> Exchange:
        """Delete a job."""
        return self._ask("delete", "DELETE", f"/jobs/v1/{job_id}", job_id)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _ask(
        self, verb: Verb, method: str, path: str, job_id: str = "", *, key: str = "", body: str = "", **more: Any
    ) -> Exchange:
        asked = time.monotonic()
        try:
            answer = self._client.request(method, path, **more)
            status, said = answer.status_code, answer.json() if answer.content else {}
        except httpx.TransportError:
            status, said = 0, {}
        exchange = Exchange(
            verb=verb,
            asked=asked,
            answered=time.monotonic(),
            status=status,
            job_id=said.get("job_id", job_id),
            state=said.get("status", "") if 200 <= status < 300 else "",
            outputs=tuple(output["sha256"] for output in said.get("outputs", ())),
            code=said.get("code", ""),
            key=key,
            body=body,
        )
        self._log.append(exchange)
        return exchange
