"""The settings of the operator's commands."""

import os

import pytest

from cli.local.data_dir import DataDirectory
from cli.operator.settings import local_settings


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")}
    monkeypatch.setattr(os, "environ", variables | {"PGPORT": "5433"})


def test_the_database_of_a_running_up_is_at_its_url_alone(tmp_path):
    url = "postgresql://atelier@/atelier?host=/srv/run"
    DataDirectory(tmp_path).write_settings({"ATELIER_DATABASE_URL": url})
    assert url == local_settings(tmp_path).database_url
    assert "PGPORT" not in os.environ


def test_another_database_has_the_variables_of_its_shell(tmp_path):
    os.environ["ATELIER_DATABASE_URL"] = "postgresql://db.example/atelier"
    assert "postgresql://db.example/atelier" == local_settings(tmp_path).database_url
    assert "5433" == os.environ["PGPORT"]
