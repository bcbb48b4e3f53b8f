"""Refusals by a limit, which name the setting that would allow more."""

import re

import msgspec
import pytest

from core.errors import limits
from core.errors.base import AtelierError
from core.settings import Settings

NAMES = {f"ATELIER_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
CLASSES = [kind for kind in vars(limits).values() if isinstance(kind, type) and kind.__module__ == limits.__name__]
OF_A_TENANT = {"BudgetExhausted"}
"""`atelier keys create --budget-usd` raises it."""


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_limit_names_its_setting(kind: type[AtelierError]) -> None:
    named = set(re.findall("ATELIER_[A-Z_]+", kind.advice))
    assert named <= NAMES
    assert bool(named) != (kind.__name__ in OF_A_TENANT)
