"""Each step of the confinement is taken where the kernel has it, and reported where not."""

import errno

import pytest

from core.sandbox import confinement
from core.sandbox.confinement import Confinement, confine, try_confinement

ALL = Confinement(no_new_privileges=True, no_capabilities=True, landlock=6, seccomp=True)


@pytest.fixture
def steps(monkeypatch):
    """The steps in their order; those of `lacking` fail."""

    def of(*lacking):
        taken = []

        def step(name, result=None):
            def take(*_):
                if name in lacking:
                    raise OSError(errno.EINVAL, name)
                taken.append(name)
                return result

            return take

        monkeypatch.setattr(confinement, "prctl", step("privileges"))
        monkeypatch.setattr(confinement, "drop_capabilities", step("capabilities"))
        monkeypatch.setattr(confinement, "restrict_files", step("files", 6))
        monkeypatch.setattr(confinement, "restrict_calls", step("calls", True))
        return taken

    return of


def test_every_step_is_taken_and_seccomp_last(steps):
    taken = steps()
    assert ALL == confine(3)
    assert ["privileges", "capabilities", "files", "calls"] == taken


@pytest.mark.parametrize(
    ("lacking", "missing"),
    [
        (["privileges"], "no new privileges"),
        (["capabilities"], "no capabilities"),
        (["files"], "Landlock"),
        (["calls"], "seccomp"),
    ],
)
def test_a_step_that_the_kernel_lacks_leaves_the_others(steps, lacking, missing):
    taken = steps(*lacking)
    given = confine(3)
    assert 3 == len(taken)
    assert (missing,) == given.missing
    assert 3 == len(given.taken)


def test_the_try_confines_another_process_only():
    first = try_confinement()
    assert first == try_confinement()
    with open(__file__) as still_readable:
        assert still_readable.read()


def test_a_try_that_dies_is_an_error(monkeypatch):
    monkeypatch.setattr(confinement, "confine", lambda folder: 1 / 0)
    with pytest.raises(OSError, match="died"):
        try_confinement()
