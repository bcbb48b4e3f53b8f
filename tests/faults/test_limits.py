"""Scenario 23: one key at several API processes, from many made-up addresses, as fast as they answer."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from core.signing import new_key
from tests.support.service.service import Service, service


class Limits(NamedTuple):
    """What the API is given: requests a second and at once of a key, and guesses of keys of an address."""

    rate: int
    burst: int
    guesses: int


QUICK, FULL = Limits(2, 5, 3), Limits(40, 20, 10)
"""A machine that answers five requests a second reaches the first within two seconds."""


@pytest.fixture
def limits(full: bool) -> Limits:
    return FULL if full else QUICK


@pytest.fixture
def studio(limits: Limits, tmp_path: Path, database_url: str, broker_url: str) -> Iterator[Service]:
    environment = {
        "ATELIER_BROKER_TIMEOUT": "10",
        "ATELIER_RATE_LIMIT": str(limits.rate),
        "ATELIER_RATE_BURST": str(limits.burst),
        "ATELIER_UNKNOWN_KEY_LIMIT": "0.01",
        "ATELIER_UNKNOWN_KEY_BURST": str(limits.guesses),
    }
    with service(tmp_path, database_url=database_url, broker_url=broker_url, **environment) as made:
        yield made


def hammer(url: str, key: str, until: float, seen: Counter[int], asked_again: list[int]) -> None:
    """Ask without a pause, each time under another forwarded address."""
    with httpx.Client(base_url=url, timeout=30) as client:
        while time.monotonic() < until:
            number = seen.total()
            headers = {"X-API-Key": key or new_key(), "X-Forwarded-For": f"198.51.{number % 256}.{number // 256 % 256}"}
            answer = client.get("/jobs/v1", params={"limit": 1}, headers=headers)
            seen[answer.status_code] += 1
            if answer.status_code == 429:
                asked_again.append(int(answer.headers["Retry-After"]))


def ask(urls: list[str], key: str, seconds: float) -> tuple[Counter[int], float, list[int]]:
    """How often each status was answered, in how many seconds, and the values of Retry-After."""
    counters, asked_again = [Counter[int]() for _ in urls], list[int]()
    began = time.monotonic()
    threads = [
        threading.Thread(target=hammer, args=(url, key, began + seconds, seen, asked_again))
        for url, seen in zip(urls, counters, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counters, Counter()), time.monotonic() - began, asked_again


@pytest.mark.long
def test_23_a_limit_holds_over_all_processes(studio: Service, limits: Limits, full: bool) -> None:
    studio.api()
    urls = [studio.url, *(studio.another_api() for _ in range(3 if full else 1))]
    seen, seconds, asked_again = ask(urls, studio.key, 10.0 if full else 2.0)
    most = limits.burst + limits.rate * seconds
    assert {200, 429} == seen.keys()
    # A machine that is slow for a moment leaves tokens unused, so what is granted is compared at full size only
    least = 0.9 * (limits.burst + limits.rate * (seconds - 0.5)) if full else limits.burst
    assert least <= seen[200] <= 1.01 * most
    assert {1} == set(asked_again)
    guessed, _, _ = ask(urls, "", 3.0 if full else 2.0)
    assert {401, 429} == guessed.keys()
    assert limits.guesses < guessed[401] <= limits.guesses * len(urls)
