"""Ratio 13: the first sound of streamed speech, as a part of the time until the whole of it is there.

Tiny random Chatterbox in its published layout, through the whole service: a POST that accepts `audio/wav`, until the
first bytes behind the header, and until the answer ends. The first request of all, which imports libraries, does not
count. Random weights seldom end a sentence, so `max_new_tokens` says how long the recording is.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from pipelines.runtime import torchaudio_stub

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
torchaudio_stub.install()  # before chatterbox is

from benchmarks.report import Figure, Report  # noqa: E402
from benchmarks.running.stack import Running, running  # noqa: E402
from tests.support.checkpoints import tiny_chatterbox  # noqa: E402
from tests.support.service.model_service import write_models  # noqa: E402

TITLE = "Ratio 13: first sound of streamed speech"
LAYOUT = "english"
CATALOG = f"""
[[model]]
id = "{LAYOUT}"
title = "Chatterbox, tiny"
family = "tests.support.checkpoints.tiny_chatterbox:TinyChatterbox"
modality = "speech"
source = {{ path = "{LAYOUT}" }}
licence = {{ name = "MIT", url = "https://opensource.org/license/mit" }}
"""
TEXT = "Good morning. Your order has left our workshop, and it will be with you on Thursday if the roads are free. "
WAV_HEADER = 44


def run(*, quick: bool = False) -> Report:
    """Measure recordings of 8 s and of 24 s."""
    repeats = 1 if quick else 7
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as name:
        folder = Path(name)
        with running(_settings(folder)) as service:
            seconds(service.client, tokens=200)
            figures = [figure for tokens in (200, 600) for figure in _figures(service, tokens, repeats)]
    return Report(name="spoken", title=TITLE, figures=figures)


def _settings(folder: Path) -> dict[str, str]:
    """Write the checkpoint with its catalog and its lock; return the settings of a service that serves it."""
    weights = folder / "weights"
    tiny_chatterbox.save(LAYOUT, weights / LAYOUT)
    models, lock = write_models(folder, CATALOG, weights)
    return {
        "ATELIER_CATALOG": str(models),
        "ATELIER_WEIGHTS_LOCK": str(lock),
        "ATELIER_WEIGHTS_DIR": str(weights),
        "ATELIER_DEVICE": "cpu",
        "ATELIER_CPU_THREADS": "1",
    }


def _figures(service: Running, tokens: int, repeats: int) -> list[Figure]:
    first, whole = zip(*(seconds(service.client, tokens) for _ in range(repeats)), strict=True)
    ratio = statistics.median(one / other for one, other in zip(first, whole, strict=True))
    what = f"{tokens // 25} s of speech"
    return [
        Figure(f"{what}: first sound / whole", ratio, "", "≤ 0.25"),
        Figure(f"{what}: first sound, p50", 1000 * statistics.median(first), "ms"),
        Figure(f"{what}: whole, p50", 1000 * statistics.median(whole), "ms"),
    ]


def seconds(client: httpx.Client, tokens: int) -> tuple[float, float]:
    """Return the seconds until the first sound of a recording, and until its end."""
    body = {"model": LAYOUT, "text": TEXT * 3, "seed": 1, "max_new_tokens": tokens}
    began, first, size = time.perf_counter(), 0.0, 0
    with client.stream("POST", "/generate/speech/v1", json=body, headers={"Accept": "audio/wav"}) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_raw():
            size += len(chunk)
            if not first and size > WAV_HEADER:
                first = time.perf_counter() - began
    return first, time.perf_counter() - began
