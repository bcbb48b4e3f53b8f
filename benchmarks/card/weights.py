"""The first stage of a model: its checkpoint, with random weights."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.card.cases import Case
from benchmarks.report import Figure


def weights(case: Case, folder: Path, is_tiny: bool) -> Iterator[Figure]:
    """Write the checkpoint of a case into `folder`."""
    began = time.perf_counter()
    target = folder / case.model
    if case.modality == "speech":
        from benchmarks.families.full_speech import save as save_speech

        save_speech(target, tiny=is_tiny)
    else:
        from benchmarks.families.full_size import save

        save(case.model, target, tiny=is_tiny)
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    yield Figure(f"{case.model}: checkpoint", size / 1e9, "GB")
    yield Figure(f"{case.model}: writing the checkpoint", time.perf_counter() - began, "s")
