"""docs/support.md, docs/licences.md and NOTICES.md say what the code checks, the pins are for and the catalog has."""

import re
import tomllib

import yaml

from cli.operator.checks import LEAST_POSTGRES
from pipelines.runtime.gpu_check import LEAST_DRIVERS
from pipelines.weights.lockfile import read_lock
from scripts.constraints import OTHERS
from tests.integration.helm.test_chart import VERSIONS
from tests.support.paths import ROOT

SUPPORT = (ROOT / "docs" / "support.md").read_text()
LICENCES = (ROOT / "docs" / "licences.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def row(page: str, name: str) -> list[str]:
    """Cells of the row that begins with a name."""
    (found,) = (line for line in page.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_support_names_the_pythons_of_the_package():
    _, run, read = row(SUPPORT, "Python")
    assert run.startswith("3.11;")
    assert set(OTHERS) == set(re.findall(r"\b3\.\d+", read))
    assert ">=3.11,<3.14" == PROJECT["requires-python"]
    makefile = (ROOT / "Makefile").read_text()
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in makefile
    assert "3.11, 3.12 and 3.13" in (ROOT / "constraints.txt").read_text().splitlines()[0]


def test_support_names_what_doctor_and_engine_refuse():
    assert f"{LEAST_POSTGRES} and newer" in row(SUPPORT, "PostgreSQL")[2]
    for cuda, driver in LEAST_DRIVERS.items():
        assert re.search(rf"r{driver}[^;]*CUDA {cuda}", row(SUPPORT, "Driver")[2])


def test_support_names_the_clusters_of_the_chart():
    read = row(SUPPORT, "Kubernetes")[2]
    least = yaml.safe_load((ROOT / "helm" / "Chart.yaml").read_text())["kubeVersion"]
    assert least.removeprefix(">=").removesuffix(".0-0") + " and newer" in read
    assert f"the schemas of {VERSIONS[0]}, {VERSIONS[1]} and {VERSIONS[2]}" in read


def test_licences_page_has_each_model_in_the_row_of_its_licence():
    models = tomllib.loads((ROOT / "pipelines" / "catalog" / "models.toml").read_text())["model"]
    wrong = [
        model["id"]
        for model in models
        if not re.search(rf"(?<![\w.-]){re.escape(model['id'])}(?![\w.-])", row(LICENCES, model["licence"]["name"])[1])
    ]
    assert [] == wrong


def test_notices_name_each_model_that_comes_from_a_wheel():
    notices, lock = (ROOT / "NOTICES.md").read_text(), read_lock()
    unpacked = re.findall(r"\$\(WEIGHTS\)/([\w-]+)/", (ROOT / "Makefile").read_text())
    assert 4 <= len(unpacked)
    for folder in unpacked:
        assert f"`weights/{folder}`" in notices
        assert "LICENSE" in lock.models[folder].files
