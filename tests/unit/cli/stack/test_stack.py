"""The settings of a stack that opens this machine's loopback."""

import pytest

from cli.stack.stack import loopback_opened
from core.net.url_guard import check_literal
from core.settings import read_settings


@pytest.mark.parametrize("before", [{}, {"ATELIER_ALLOWED_NETWORKS": "10.0.0.0/8"}])
def test_loopback_is_open_beside_other_networks(before: dict[str, str]) -> None:
    settings = read_settings(before | loopback_opened(before))
    for url in ("http://localhost:9000/", "http://[::1]:8080/", *(["http://10.1.2.3/"] if before else [])):
        check_literal(url, settings)
