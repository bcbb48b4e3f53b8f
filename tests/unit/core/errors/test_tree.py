"""The error tree: every class has a code of its own, a status and advice, and the docstring draws the tree."""

import re

import pytest

from core.errors import tree
from core.errors.base import AtelierError
from core.errors.failures import JobFailed
from core.errors.fields import ForbiddenUrl
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownJob

LINE = re.compile(r"^ {4}([│ ]*)(?:[├└]── )?([A-Z]\w+)(?: +(.*))?$")


TREE = list(tree.all_errors())
LEAVES = [cls for cls in TREE if not cls.__subclasses__()]


def drawn():
    """(class, its parent, what stands beside it) of every line of the drawing."""
    parents = []
    for line in tree.__doc__.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        depth = 0 if "──" not in line else len(match[1]) // 4 + 1
        del parents[depth:]
        yield match[2], parents[-1] if parents else None, match[3] or ""
        parents.append(match[2])


def test_the_drawing_shows_every_class_under_its_parent():
    expected = {(cls.__name__, None if cls is AtelierError else cls.__bases__[0].__name__) for cls in TREE}
    assert expected == {(name, parent) for name, parent, _ in drawn()}


def test_the_drawing_shows_code_and_status():
    by_name = {cls.__name__: cls for cls in TREE}
    beside = {by_name[name]: note for name, _, note in drawn()}
    for cls in TREE:
        if cls in LEAVES or re.match(r"\d{3} ", beside[cls]):
            status = "" if issubclass(cls, JobFailed) else f"{cls.status}  "
            assert f"{status}{cls.code}" == beside[cls]


def test_every_class_has_a_code_of_its_own():
    codes = [cls.code for cls in TREE]
    assert sorted(set(codes)) == sorted(codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in codes)


@pytest.mark.parametrize("cls", LEAVES)
def test_a_class_has_a_status_and_a_message(cls):
    assert 400 <= cls.status < 600
    assert cls.advice.endswith(".")
    assert len(cls.advice) > 15
    assert cls.__doc__


@pytest.mark.parametrize("cls", TREE)
def test_the_message_is_the_detail_or_else_the_advice(cls):
    assert cls.advice == cls().detail == str(cls())
    assert "Use another one." == cls("Use another one.").detail == str(cls("Use another one."))


def test_an_error_can_name_its_field():
    assert "$.callback_url" == ForbiddenUrl("No.", field="$.callback_url").field
    assert UnknownJob().field is None


def test_a_full_store_differs_from_an_unavailable_one():
    assert StorageUnavailable("Full.", full=True).full
    assert not StorageUnavailable().full
