"""The catalog of models, read from `models.toml`.

No torch, no numpy: the API imports this module.
"""

import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from core.errors.fields import UnknownModel
from jobs.params.registry import Modality
from jobs.params.requests.origin import NATIVE
from pipelines.catalog.backends import LOCAL, MADE_BY, Backend
from pipelines.catalog.family_keys import unknown_capability, unread_keys
from pipelines.catalog.spec import ModelSpec

__all__ = ["SHIPPED", "Catalog", "CatalogError", "ModelSpec", "load_catalog"]

SHIPPED = Path(__file__).with_name("models.toml")


class CatalogError(ValueError):
    """A catalog that cannot be used; the text names the file, the entry and the key."""


class Catalog(msgspec.Struct, frozen=True):
    """The models in the order of the file.

    The default of a modality is its first model that a server offers.
    """

    models: tuple[ModelSpec, ...]
    backends: tuple[Backend, ...] = ()
    """Remote backends that the models' orders name."""

    def of(self, modality: Modality) -> tuple[ModelSpec, ...]:
        """Return the models of one modality, in order."""
        return tuple(spec for spec in self.models if spec.modality == modality)

    def get(self, model_id: str) -> ModelSpec:
        """Return the model with this id; raise `UnknownModel` for an unknown id."""
        for spec in self.models:
            if spec.id == model_id:
                return spec
        raise _unknown_model("model", model_id, self.models)

    def resolve(self, name: str, modality: Modality, dialect: str = NATIVE) -> ModelSpec:
        """Return the model of `modality` that `name` means in `dialect`.

        The name is an id or an alias of that dialect. Raises `UnknownModel`.
        """
        for spec in self.of(modality):
            if name == spec.id or name in spec.aliases.get(dialect, ()):
                return spec
        raise _unknown_model(f"{modality} model", name, self.of(modality))


def _unknown_model(kind: str, name: str, models: Sequence[ModelSpec]) -> UnknownModel:
    """Return the error of a name that is none of these models; its sentence also has the nearest one."""
    near = get_close_matches(name[:80], [spec.id for spec in models], 1)
    advice = f"did you mean {near[0]!r}? GET" if near else "GET"
    return UnknownModel(f"Unknown {kind} {name[:80]!r}; {advice} /models/v1 lists the models.", field="$.model")


def load_catalog(path: Path | str | None = None) -> Catalog:
    """Read the catalog in `path`, or the one that this repository ships. Raises `CatalogError`."""
    file = Path(path) if path else SHIPPED
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise CatalogError(f"{file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogError(f"{file}: {error}") from None
    entries, backends = table.pop("model", []), table.pop("backend", [])
    if table:
        raise CatalogError(f"{file}: unknown key {next(iter(table))!r}; only [[model]] and [[backend]] belong here")
    for word, found in (("model", entries), ("backend", backends)):
        if not isinstance(found, list):
            raise CatalogError(f"{file}: write [[{word}]] with two brackets")
    catalog = Catalog(
        tuple(_entry(file, number, entry) for number, entry in enumerate(entries, 1)),
        tuple(_backend(file, number, entry) for number, entry in enumerate(backends, 1)),
    )
    _refuse_duplicates(file, catalog)
    _check_backends(file, catalog)
    return msgspec.structs.replace(catalog, models=tuple(_with_files(file, catalog, spec) for spec in catalog.models))


def _backend(file: Path, number: int, entry: Any) -> Backend:
    name = entry.get("name", f"number {number}") if isinstance(entry, dict) else f"number {number}"
    try:
        return msgspec.convert(entry, Backend)
    except msgspec.ValidationError as error:
        raise CatalogError(f"{file}: backend {name!r}: {error}") from None


def _check_backends(file: Path, catalog: Catalog) -> None:
    """Raise `CatalogError` for a backend that is there twice, and for an order with an unknown or unable one."""
    known = {backend.name: backend for backend in catalog.backends}
    if len(known) < len(catalog.backends):
        raise CatalogError(f"{file}: two [[backend]] entries have one `name`")
    for spec in catalog.models:
        for name in spec.order:
            if name == LOCAL:
                continue
            if name not in known:
                raise CatalogError(
                    f"{file}: model {spec.id!r}: `backends` has {name!r}, and no [[backend]] is called so"
                )
            if spec.modality not in MADE_BY[known[name].kind]:
                raise CatalogError(
                    f"{file}: model {spec.id!r}: a backend of kind {known[name].kind!r} makes no {spec.modality!r} yet"
                )


def _entry(file: Path, number: int, entry: Any) -> ModelSpec:
    name = entry.get("id", f"number {number}") if isinstance(entry, dict) else f"number {number}"
    try:
        spec = msgspec.convert(entry, ModelSpec)
    except msgspec.ValidationError as error:
        raise CatalogError(f"{file}: model {name!r}: {error}") from None
    for key, families in unread_keys(spec):
        raise CatalogError(
            f"{file}: model {name!r}: the family {spec.family!r} has no `{key}`, which is for "
            f"{' and '.join(families)}; remove it"
        )
    lacking = unknown_capability(spec)
    if lacking is not None:
        raise CatalogError(
            f"{file}: model {name!r}: the family {spec.family!r} has no `capabilities` {lacking!r}; remove it"
        )
    return spec


def _with_files(file: Path, catalog: Catalog, spec: ModelSpec) -> ModelSpec:
    """Return an entry that has the files of another model with where those come from. Raises `CatalogError`."""
    shared = spec.source.model
    if shared is None:
        return spec
    other = next((each for each in catalog.models if each.id == shared and each.source.is_remote), None)
    if other is None:
        raise CatalogError(
            f"{file}: model {spec.id!r}: `source.model` names {shared!r}, and no model of that id is fetched"
        )
    return msgspec.structs.replace(spec, source=msgspec.structs.replace(other.source, model=shared), parts=other.parts)


def _refuse_duplicates(file: Path, catalog: Catalog) -> None:
    """Raise `CatalogError` unless each name means one model in each dialect, whatever the modality."""
    ids: set[str] = set()
    for spec in catalog.models:
        if spec.id in ids:
            raise CatalogError(f"{file}: model {spec.id!r}: `id` is used twice")
        ids.add(spec.id)
    taken: dict[tuple[str, str], str] = {}
    for spec in catalog.models:
        for dialect, names in spec.aliases.items():
            for name in names:
                holder = name if name in ids else taken.setdefault((dialect, name), spec.id)
                if holder != spec.id:
                    raise CatalogError(
                        f"{file}: model {spec.id!r}: `aliases.{dialect}` has {name!r}, which means {holder!r}"
                    )
