"""The chart as a release packs it: it installs as the folder does."""

import helm_python
import pytest

from scripts.release import archives
from tests.support.deploy.chart import CHART, MATRIX, chart, values


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> helm_python.Chart:
    dist = tmp_path_factory.mktemp("dist")
    return helm_python.Chart.load(archives.chart(CHART, dist, chart().version, 1_700_000_000))


@pytest.mark.matrix
@pytest.mark.parametrize("case", MATRIX)
def test_the_archive_renders_what_the_folder_renders(packed, case):
    options = {"name": "atelier", "namespace": "studio"}
    assert chart().render(values(case), **options) == packed.render(values(case), **options)


def test_the_archive_carries_rules_dashboard_and_schema(packed):
    assert chart().files == packed.files
    assert chart().schema == packed.schema
    assert chart().metadata == packed.metadata
