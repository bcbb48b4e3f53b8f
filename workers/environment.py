"""What a worker's models and device are to a manifest: the weights of a model, and the environment of a job."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from jobs.manifests.environment import ATELIER, BundleWeights, Environment, sha256_of
from pipelines.catalog.spec import ModelSpec
from pipelines.weights.lockfile import Lock

SAYS_NOTHING_OF_COMPUTING = {
    *("title", "tier", "licence", "aliases", "scope", "price_usd", "rates", "deadlines"),
    *("vram_bytes", "estimated_seconds", "estimated_on", "is_measured", "backends", "lora_files"),
}
"""Fields of a catalog entry that change no pixel."""


def weights_of(spec: ModelSpec, lock: Lock, weights_dir: Path) -> tuple[BundleWeights, ...]:
    """Return the files of a model and of its LoRAs as the lock knows those that lie in their folders."""
    found = []
    for bundle in spec.bundles:
        known = lock.models[bundle.key]
        facts = known.on_disk(bundle.directory(weights_dir))
        found.append(
            BundleWeights(
                bundle=bundle.key,
                repo=known.repo,
                revision=known.revision,
                url=known.url,
                files={path: file.sha256 or "" for path, file in sorted(facts.items())},
            )
        )
    return tuple(found)


def environment_of(
    spec: ModelSpec,
    weights: Sequence[BundleWeights],
    versions: Mapping[str, str],
    device: str,
    backend: str = ATELIER,
) -> Environment:
    """Return the environment of a job that was computed with a model on a device, or by a remote `backend`."""
    settings = {
        name: value for name, value in msgspec.to_builtins(spec).items() if name not in SAYS_NOTHING_OF_COMPUTING
    }
    return Environment(
        model=spec.id,
        settings_sha256=sha256_of(settings),
        weights=tuple(weights),
        versions=dict(versions),
        device=device,
        backend=backend,
    )
