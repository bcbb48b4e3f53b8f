"""What each model of the catalog takes of a card, from the sizes in `weights.lock`: `python -m benchmarks.memory`.

`pipelines/weights/footprint.py` adds up the bytes. The catalog's estimate is what the engine counts with until it has
loaded the model. `--write` puts the table into `docs/memory.md`.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.catalog.loader import SHIPPED as CATALOG
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import CHECKOUT, ModelSpec
from pipelines.catalog.variants import spec_of, variant_id
from pipelines.weights.footprint import WeightBytes, weights_of
from pipelines.weights.lockfile import SHIPPED as LOCK
from pipelines.weights.lockfile import Lock, read_lock

PAGE = CHECKOUT / "docs" / "memory.md"
CARDS = (25, 51, 85)
"""GB of cards that are sold with 24, 48 and 80 GiB."""

END = "\n\n"
"""What follows the table in the page."""


def table(specs: Sequence[ModelSpec], lock: Lock, cards: Sequence[float] = CARDS) -> str:
    """Return the table of the models that have weights, in GB."""
    lines = [
        "| model | files | in memory | precision | catalog | "
        + " | ".join(f"left of {card:g}" for card in cards)
        + " |",
        "|" + "---|" * (5 + len(cards)),
    ]
    with_variants = [named for spec in specs if spec.bundles for named in _variants(spec)]
    rows = (_row(name, spec, weights_of(spec, lock), cards) for name, spec in with_variants)
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _variants(spec: ModelSpec) -> Iterator[tuple[str, ModelSpec]]:
    """Yield the model, and what its presets with weights of their own are in memory, with their names in the table."""
    yield spec.id, spec
    for word in spec.quality:
        variant = variant_id(spec, word)
        if variant != spec.id:
            yield f"{spec.id}, {word}", spec_of(spec, variant)


def _row(name: str, spec: ModelSpec, weights: WeightBytes, cards: Sequence[float]) -> Iterator[str]:
    mark = "at least " if weights.unknown else ""
    is_known = weights.total > 0 and not weights.unknown
    taken = weights.total if is_known else max(weights.total, spec.vram_bytes)
    yield name
    yield mark + _gb(weights.files) if weights.total else "unknown"
    yield mark + _gb(weights.total) if weights.total else "unknown"
    parts = sorted(weights.in_memory.items(), key=lambda item: -item[1])
    yield parts[0][0] if len(parts) == 1 else ", ".join(f"{kind} {_gb(size)}" for kind, size in parts)
    yield _gb(spec.vram_bytes)
    for card in cards:
        left = round(card - taken / 1e9)
        yield f"{'' if is_known else 'about '}{left}" if left > 0 else "does not fit"


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g}"


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument(
        "--cards", default=",".join(map(str, CARDS)), help="GB with commas between (default: %(default)s)"
    )
    parser.add_argument("--catalog", type=Path, default=CATALOG, help="default: the catalog of this repository")
    parser.add_argument("--lock", type=Path, default=LOCK, help="default: the lock of this repository")
    parser.add_argument("--write", action="store_true", help="write the table of this repository into docs/memory.md")
    asked = parser.parse_args()
    cards = [float(card) for card in asked.cards.split(",")]
    made = table(load_catalog(asked.catalog).models, read_lock(asked.lock), cards)
    if asked.write:
        PAGE.write_text(with_table(PAGE.read_text(), made))
    print(made, end="")


def with_table(page: str, made: str) -> str:
    """Return the page with its table replaced."""
    before, _, after = page.partition("| model |")
    return f"{before}{made}\n{after.partition(END)[2]}"


if __name__ == "__main__":
    main()
