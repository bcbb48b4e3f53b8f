"""The names of other services' models and voices, read from `aliases.toml`, and what they mean here."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from core.errors.fields import UnknownModel
from jobs.params.registry import Modality
from pipelines.catalog.loader import Catalog, CatalogError

SHIPPED_ALIASES = Path(__file__).with_name("aliases.toml")
DEFAULT, VOICES = "default", "voices"
MODALITIES: tuple[str, ...] = get_args(Modality)


class Aliases(msgspec.Struct, frozen=True):
    """What each name means: of models by modality, and of voices; `None` is the default."""

    models: Mapping[str, Mapping[str, str | None]] = {}
    voices: Mapping[str, str | None] = {}

    def model(self, catalog: Catalog, modality: Modality, name: str | None, dialect: str) -> str | None:
        """Return the name of the catalog that `name` means, `None` for the default model of the modality.

        A name that a model of the catalog has in this dialect is that model's; one that is known nowhere is returned
        as it is, and refused at submit.
        """
        known = self.models.get(modality, {})
        if name is None or name not in known:
            return name
        try:
            return catalog.resolve(name, modality, dialect).id
        except UnknownModel:
            return known[name]


def load_aliases(catalog: Catalog, path: Path | str | None = None) -> Aliases:
    """Read the table in `path`, or the one that this repository ships. Raises `CatalogError`."""
    file = Path(path) if path else SHIPPED_ALIASES
    try:
        tables = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise CatalogError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{file}: {error}") from None
    voices = _meanings(file, VOICES, tables.pop(VOICES, {}))
    models: dict[str, dict[str, str | None]] = {}
    for modality, table in tables.items():
        if modality not in MODALITIES:
            known = ", ".join(f"[{name}]" for name in (*MODALITIES, VOICES))
            raise CatalogError(f"{file}: unknown table [{modality}]; write one of {known}")
        models[modality] = _meanings(file, modality, table)
        ids = {spec.id for spec in catalog.models if spec.modality == modality}
        for target in models[modality].values():
            if target is not None and target not in ids:
                raise CatalogError(f"{file}: [{modality}] has {target!r}, which the catalog has not as a model of it")
    return Aliases(models, voices)


def _meanings(file: Path, name: str, table: Any) -> dict[str, str | None]:
    """Return what each name of a table means. Raises `CatalogError` for a wrong value or a repeated name."""
    try:
        lists = msgspec.convert(table, dict[str, tuple[str, ...]])
    except msgspec.ValidationError as error:
        raise CatalogError(f'{file}: [{name}]: {error}; write `default = ["name"]`') from None
    meanings: dict[str, str | None] = {}
    for target, names in lists.items():
        for one in names:
            if one in meanings:
                raise CatalogError(f"{file}: [{name}] has {one!r} twice")
            meanings[one] = None if target == DEFAULT else target
    return meanings
