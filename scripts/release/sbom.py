"""Bills of materials, as CycloneDX 1.6: what an installation consists of, with licences."""

import tomllib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache2.0": "Apache-2.0",
    "BSD 3-Clause License": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The MIT License (MIT)": "MIT",
}
"""What authors write, and the identifier of SPDX; other words stay as they are ("BSD" may be one of several)."""
KNOWN = tomllib.loads(Path(__file__).with_name("licences.toml").read_text())
"""What no metadata say: licences of packages that name none, and of the libraries that wheels carry."""


def bill(name: str, version: str, epoch: int, inventory: dict[str, Any], *, built: bool) -> str:
    """The bill of `name`, as JSON.

    Args:
        name: of what the bill is about: `atelier`, `atelier-api`.
        version: its version.
        epoch: time of the bill in seconds since 1970. The serial number follows from name and version: a second bill
            has the same bytes.
        inventory: what `inventory.py` printed.
        built: whether the inventory was taken in what is passed on, or is what will be installed.

    """
    subject = Component(name=name, version=version, type=ComponentType.APPLICATION, bom_ref=name)
    subject.licenses.add(LicenseFactory().make_from_string("Apache-2.0"))
    phase = LifecyclePhase.POST_BUILD if built else LifecyclePhase.PRE_BUILD
    bom = Bom(serial_number=uuid5(NAMESPACE_URL, f"atelier:{name}:{version}"))
    bom.metadata.component = subject
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.lifecycles.add(PredefinedLifecycle(phase))
    packages = [*_python(inventory["python"]), *_system(inventory["system"], inventory["packages"])]
    for component in packages:
        bom.components.add(component)
    bom.register_dependency(subject, packages)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def _python(packages: Iterable[dict[str, Any]]) -> Iterator[Component]:
    for package in packages:
        name, version = canonicalize_name(package["name"]), package["version"].partition("+")[0]
        if name == "atelier":
            continue
        known = KNOWN.get(name, {})
        url = PackageURL("pypi", name=name, version=version)
        outer = _component(name, version, url, known.get("licence", package["licence"]), ref=url.to_string())
        for one in [*package["carries"], *known.get("carries", [])]:
            inner_url = PackageURL.from_string(one["purl"]) if one.get("purl") else None
            ref = f"{url.to_string()}#{one['name']}@{one.get('version', '')}"
            outer.components.add(_component(one["name"], one.get("version"), inner_url, one["licence"], ref))
        yield outer


def _system(distribution: str, packages: Iterable[dict[str, str]]) -> Iterator[Component]:
    for package in packages:
        kind, name, version, arch = (package[key] for key in ("kind", "name", "version", "arch"))
        url = PackageURL(kind, distribution, name, version, {"arch": arch})
        yield _component(name, version, url, package["licence"], ref=url.to_string())


def _component(name: str, version: str | None, url: PackageURL | None, licence: str, ref: str) -> Component:
    component = Component(name=name, version=version or None, type=ComponentType.LIBRARY, purl=url, bom_ref=ref)
    if licence:
        component.licenses.add(LicenseFactory().make_from_string(SPDX.get(licence, licence)))
    return component
