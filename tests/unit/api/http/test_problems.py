"""The codes that answers carry, and the tests that reach them."""

from api.http.problems import title
from core.errors.failures import JobFailed
from core.errors.tree import all_errors
from tests.support.paths import ROOT

TESTS = ROOT / "tests" / "integration" / "api"
NEVER_ANSWERED = {
    "lora_not_allowed": "the end of a job, whose files are judged when they were fetched",
    "lora_not_compatible": "likewise",
    "picture_too_busy": "the end of a job, whose picture is counted by its engine",
    "request_refused": "for what the framework refuses in a way that none of the others is",
    "unavailable": "only a branch of the tree",
}


def test_every_code_that_can_be_answered_is_reached_by_a_test():
    text = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    codes = {kind.code for kind in all_errors() if not issubclass(kind, JobFailed)}
    assert set(NEVER_ANSWERED) <= codes
    assert set() == {code for code in codes - set(NEVER_ANSWERED) if f'"{code}"' not in text}


def test_codes_are_unique_and_speak():
    codes = [kind.code for kind in all_errors()]
    assert sorted(set(codes)) == sorted(codes)
    assert "Unknown job" == title("unknown_job")
    assert all(kind.advice[-1] == "." and len(kind.advice) > 10 for kind in all_errors())
