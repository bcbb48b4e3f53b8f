"""The manifest of a completed job, as its owner reads it."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Row

from jobs.job import Job, JobBackend
from jobs.manifests.environment import BundleWeights, Environment
from jobs.wire.job_request import documented
from jobs.wire.values import UtcTime

VERSION = 1


class ManifestInput(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a job was computed from: the clean copy of what its request names."""

    name: str
    media_type: str
    bytes: int
    sha256: str


class ManifestOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a job has made; of a text with the tokens that the model has read and written."""

    media_type: str
    bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Reproduced(msgspec.Struct, frozen=True, kw_only=True):
    """The job that this one makes again, and whether the files of both are the same, byte for byte.

    Null where one of the two has no files, not yet or not any more.
    """

    job_id: str
    identical: bool | None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a completed job was made of, and with.

    `params` are the fields of its submit, with the values of those that were left out; null once the retention of
    prompts has removed them. `revised_prompt` is what a text model made of the prompt, with `enhance_prompt`. `inputs`
    and `outputs` are empty once those were removed. `environment_sha256` names the environment: model, weights,
    settings of the catalog, versions and device. Equal fields, inputs and environments make equal pixels. What no
    environment was written for, since an earlier version has completed it, has no weights and no versions. `backend` is
    who made it, and why. `timings` are the seconds of the phases of the attempt that
    completed it, and `gpu_seconds` and `load_seconds` those of all attempts. `jobs_in_run` is how many jobs of one
    image were computed in one run with it, itself included: above 1 the seconds on the device are this job's part of
    the run, and the pixels of the same job computed alone may differ by a level of 255.
    """

    version: int = VERSION
    job_id: str
    tenant_id: str
    modality: str
    model: str
    revision: str | None
    seed: int | None
    params: dict[str, Any] | None
    revised_prompt: str | None = None
    inputs: list[ManifestInput]
    outputs: list[ManifestOutput]
    warnings: list[str]
    environment_sha256: str | None
    weights: list[BundleWeights]
    versions: dict[str, str]
    device: str | None
    backend: JobBackend | None
    server_id: str | None
    attempt: int
    timings: dict[str, float]
    gpu_seconds: float
    load_seconds: float
    jobs_in_run: int
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime | None
    reproduces: Reproduced | None = None


def manifest_of(job: Job, environment: Environment | None, inputs: Iterable[Row[Any]], original: Any) -> Manifest:
    """Return the manifest of a completed job.

    `inputs` are rows of `input_copies`, and `original` the artifacts of the job that it makes again, if any are known.
    """
    own = environment.own_weights if environment else None
    outputs = [_output(each.media_type, each.bytes, each.sha256, each.metadata) for each in job.artifacts]
    return Manifest(
        job_id=job.id,
        tenant_id=job.tenant,
        modality=job.modality,
        model=job.model,
        revision=own.revision if own else None,
        seed=job.seed,
        params=documented(job.params),
        revised_prompt=job.revised_prompt,
        inputs=[
            ManifestInput(name=row.name, media_type=row.media_type, bytes=row.bytes, sha256=row.sha256)
            for row in inputs
        ],
        outputs=outputs,
        warnings=list(job.warnings),
        environment_sha256=job.run.environment if job.run else None,
        weights=list(environment.weights) if environment else [],
        versions=environment.versions if environment else {},
        device=environment.device if environment else None,
        backend=job.made_by,
        server_id=job.worker,
        attempt=job.attempt,
        timings=job.run.seconds if job.run else {},
        gpu_seconds=job.gpu_seconds,
        load_seconds=job.load_seconds,
        jobs_in_run=1 if job.run is None else job.run.jobs,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        reproduces=_reproduced(job, original),
    )


def _output(media_type: str, size: int, sha256: str, metadata: dict[str, Any]) -> ManifestOutput:
    facts = ("width", "height", "duration_seconds", "input_tokens", "output_tokens")
    known = {name: metadata.get(name) for name in facts}
    return ManifestOutput(media_type=media_type, bytes=size, sha256=sha256, **known)


def _reproduced(job: Job, original: list[dict[str, Any]] | None) -> Reproduced | None:
    if job.origin.reproduces is None:
        return None
    hashes = [artifact.sha256 for artifact in job.artifacts]
    identical = hashes == [one["sha256"] for one in original] if hashes and original else None
    return Reproduced(job_id=job.origin.reproduces, identical=identical)
