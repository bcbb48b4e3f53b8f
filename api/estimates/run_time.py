"""How long a job would run and load its model: by the newest jobs of the model, or before there are any the catalog."""

import math
from collections.abc import Collection, Sequence

import msgspec

from api.estimates.quantiles import LEAST, NONE, assumed, measured
from jobs.statements.estimates.history import EndedJob
from jobs.wire.estimates.estimate import Basis, Confidence, SecondsRange
from pipelines.catalog.spec import ModelSpec
from pipelines.catalog.workload import Workload, catalog_seconds, proportion, workload_of_row

MEDIUM, HIGH = 10, 50
"""Jobs like the one in question that make the confidence medium, and high."""
NEAREST = 50
"""Jobs of other workloads that an estimate follows from: those whose work is the most like it."""
LOAD_RATE = 500e6
"""Bytes of weights that are loaded in a second, where no load was measured."""


class RunEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The seconds of a run, and what they follow from: see `EstimateAnswer`."""

    run: SecondsRange
    basis: Basis
    confidence: Confidence
    sample_size: int


class JobHistory:
    """The newest completed jobs of a model with their workloads, on some devices; without devices on any.

    Where none of them ran on the devices, those of other devices are all that is known.
    """

    def __init__(self, spec: ModelSpec, jobs: Sequence[EndedJob], devices: Collection[str]) -> None:
        there = [job for job in jobs if job.device in devices or not devices]
        self._spec = spec
        self._is_known = bool(there)
        self._jobs = there or jobs
        found = ((job, workload_of_row(spec, job.params, job.characters)) for job in self._jobs)
        self._sized = [(job, workload) for job, workload in found if workload is not None]

    def run(self, workload: Workload) -> RunEstimate:
        """Return the seconds that a job of this workload runs, without the loading of the model."""
        like = [(job, its) for job, its in self._sized if its.is_like(workload)]
        if self._is_known and len(like) >= LEAST:
            return self._estimate(_scaled(like, workload), "like")
        nearest = sorted(self._sized, key=lambda sized: abs(math.log(workload.amount / sized[1].amount)))[:NEAREST]
        if nearest:
            return self._estimate(_scaled(nearest, workload), "scaled")
        if self._jobs:  # of which the retention of prompts has left no sizes
            return self._estimate([job.run_seconds for job in self._jobs[:NEAREST]], "scaled")
        return RunEstimate(
            run=assumed(catalog_seconds(self._spec, workload)), basis="catalog", confidence="none", sample_size=0
        )

    def load(self, weights_bytes: int) -> SecondsRange:
        """Return the seconds that loading the model takes; before it was measured, by the bytes of its weights."""
        loads = [job.load_seconds for job in self._jobs if job.load_seconds > 0]
        return measured(loads) if loads else assumed(weights_bytes / LOAD_RATE)

    def intake(self, workload: Workload) -> SecondsRange:
        """Return the seconds until the inputs of a job are there, by jobs with as many; 0 where none is known."""
        known = [job.intake for job, its in self._sized if its.kind == workload.kind]
        return measured(known) if known else NONE

    def _estimate(self, seconds: Sequence[float], basis: Basis) -> RunEstimate:
        count = len(seconds)
        confidence: Confidence = "low"
        if basis == "like" and count >= MEDIUM:
            confidence = "high" if count >= HIGH else "medium"
        return RunEstimate(run=measured(seconds), basis=basis, confidence=confidence, sample_size=count)


def _scaled(jobs: Sequence[tuple[EndedJob, Workload]], workload: Workload) -> list[float]:
    """Return what the jobs would have taken with this workload."""
    return [job.run_seconds * proportion(workload, its) for job, its in jobs]
