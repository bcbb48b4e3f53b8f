"""The sentence that a process ends with where a setting is wrong."""

import msgspec
import pytest

from core.settings import Settings
from core.startup.settings_check import check_settings, settings_refused

GOOD = {"storage_url": "file:///tmp/x"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"broker_url": "amqp://broker"}, "ATELIER_BROKER_URL"),
        ({"database_url": "no url"}, "ATELIER_DATABASE_URL"),
        ({"allowed_networks": "10.0.0.0/33"}, "ATELIER_ALLOWED_NETWORKS"),
        ({"allowed_ports": "0"}, "ATELIER_ALLOWED_PORTS"),
        ({"storage_url": "ftp://x"}, "ATELIER_STORAGE_URL"),
        ({"log_level": "LOUD"}, "ATELIER_LOG_LEVEL"),
        ({"ca_bundle": "/not/there"}, "ATELIER_CA_BUNDLE"),
    ],
)
def test_a_wrong_setting_is_named(wrong, named):
    with pytest.raises(ValueError, match=named):
        check_settings(Settings(**GOOD | wrong))


def test_good_settings_pass():
    check_settings(Settings(**GOOD))


def test_a_process_ends_with_the_sentence(monkeypatch):
    monkeypatch.delenv("ATELIER_LOG_FORMAT", raising=False)
    with pytest.raises(SystemExit, match=r"^api: ATELIER_X is wrong$"), settings_refused("api"):
        raise ValueError("ATELIER_X is wrong")


def test_the_sentence_is_an_object_among_json_lines(monkeypatch):
    monkeypatch.setenv("ATELIER_LOG_FORMAT", "json")
    with pytest.raises(SystemExit) as ended, settings_refused("gpu worker"):
        raise ValueError("ATELIER_X is wrong")
    line = msgspec.json.decode(str(ended.value.code))
    assert ("CRITICAL", "gpu", "ATELIER_X is wrong") == (line["level"], line["process"], line["message"])
