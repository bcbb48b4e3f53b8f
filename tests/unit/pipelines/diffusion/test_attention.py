"""What happens to a job when a backend refuses it."""

import pytest
import torch

from core.errors.failures import NotFinite
from pipelines.diffusion.attention import AttentionBackend, choose, working
from pipelines.runtime.protocol import JobCancelled


@pytest.fixture
def backend() -> AttentionBackend:
    return AttentionBackend("_native_math", "cpu", torch.float32)


class Job:
    """Raises each of these in turn, then returns 7."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return 7


def test_one_that_works_is_used(backend: AttentionBackend) -> None:
    assert 7 == backend.run(Job())
    assert "_native_math" == backend.name


def test_one_that_refuses_a_job_is_replaced_by_native_for_good(backend: AttentionBackend) -> None:
    assert 7 == backend.run(Job(ValueError("no masks")))
    assert "native" == backend.name


def test_a_job_that_fails_anyhow_says_nothing_about_it(backend: AttentionBackend) -> None:
    with pytest.raises(KeyError):
        backend.run(Job(ValueError("first"), KeyError("second")))

    assert "_native_math" == backend.name


@pytest.mark.parametrize("error", [JobCancelled(), MemoryError(), torch.OutOfMemoryError(), NotFinite("nan")])
def test_what_is_not_its_fault_is_passed_on_at_once(backend: AttentionBackend, error: Exception) -> None:
    job = Job(error)
    with pytest.raises(type(error)):
        backend.run(job)

    assert [] == job.errors
    assert "_native_math" == backend.name


def test_what_works_on_a_cpu() -> None:
    names = working("cpu", torch.float32)

    assert {"native", "_native_math"} <= set(names)
    assert not {"auto", "_native_cudnn", "flash"} & set(names)
    assert "native" == choose("_native_cudnn", "cpu", torch.float32) == choose("auto", "cpu", torch.float32)
