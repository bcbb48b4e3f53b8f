"""The tables of docs/models.md, from the catalog and `weights.lock`: `python scripts/models.py` writes them anew."""

from collections.abc import Iterable
from pathlib import Path

from rich.filesize import decimal

from pipelines.catalog.loader import load_catalog
from pipelines.catalog.spec import ModelSpec, Source
from pipelines.weights.files import is_pickle
from pipelines.weights.footprint import CARDS_GB, Footprint, footprint
from pipelines.weights.lockfile import Lock, read_lock

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "models.md"
BEGIN, END = "<!-- tables: scripts/models.py -->\n", "<!-- end -->\n"
HEAD = "| model | license | on disk | weights in memory | VRAM, estimate | card from | seconds | on | measured |\n"
CARDS = ", ".join(map(str, CARDS_GB))


def tables() -> str:
    """Return a table for each modality, in the catalog's order, then what is known of the files."""
    catalog, lock = load_catalog(), read_lock()
    made = ""
    for modality in dict.fromkeys(spec.modality for spec in catalog.models):
        rows = "".join(_row(spec, lock) for spec in catalog.of(modality))
        made += f"## {modality}\n\n{HEAD}|{'---|' * 9}\n{rows}\n"
    return made + _files(catalog.models, lock)


def with_tables(page: str) -> str:
    """Return the page with its tables as they are now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables()}\n{END}{rest.partition(END)[2]}"


def _row(spec: ModelSpec, lock: Lock) -> str:
    taken = footprint(spec, lock)
    by_size: dict[int, list[str]] = {}
    for dtype, size in taken.weights_bytes.items():
        by_size.setdefault(size, []).append(dtype)
    unknown = "unknown" if spec.bundles else "none"
    cells = [
        f"{spec.id}{' (demo)' if spec.tier == 'demo' else ''}",
        f"[{spec.licence.name}]({spec.licence.url})",
        _on_disk(taken, unknown),
        "; ".join(f"{decimal(size)} {'/'.join(names)}" for size, names in sorted(by_size.items())) or unknown,
        decimal(spec.vram_bytes) if spec.vram_bytes else "none",
        f"{taken.smallest_card_gb} GB" if taken.smallest_card_gb else "none needed",
        f"{spec.estimated_seconds:g}",
        spec.estimated_on or "a GPU",
        "yes" if spec.is_measured else "no",
    ]
    return f"| {' | '.join(cells)} |\n"


def _on_disk(taken: Footprint, unknown: str) -> str:
    if taken.disk_bytes_at_least:
        return f"at least {decimal(taken.disk_bytes_at_least)}"
    return decimal(taken.disk_bytes) if taken.disk_bytes else unknown


def _files(specs: Iterable[ModelSpec], lock: Lock) -> str:
    """Return where each remote model comes from, how many sha256 the lock has, and what becomes of its files."""
    rows = ""
    for spec in specs:
        if not spec.is_fetched:
            continue
        files = [item for bundle in spec.bundles for item in lock.models[bundle.key].files.items()]
        known = sum(facts.sha256 is not None for _, facts in files)
        origin = "; ".join(map(_origin, (bundle.source for bundle in spec.bundles)))
        pickles = ", ".join(f"`{path}`" for path, _ in files if is_pickle(path))
        rows += f"| {spec.id} | {origin} | {known} of {len(files)} | {pickles or 'none'} |\n"
    return f"## Files\n\n| model | source | sha256 in the lock | pickles to convert |\n|{'---|' * 4}\n{rows}"


def _origin(source: Source) -> str:
    return f"{source.repo}, commit `{(source.revision or '')[:12]}`" if source.repo else (source.url or "")


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text()))
