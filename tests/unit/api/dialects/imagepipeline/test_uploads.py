"""Links of this service that stand for what they lead to."""

import pytest

from api.dialects.imagepipeline.uploads import own_medium
from core.settings import Settings

SETTINGS = Settings(public_url="https://media.example/base", secret_key="a secret of the tests of 32 bytes")
ITEM, JOB = f"med_{'0' * 32}", f"job_{'1' * 32}"


@pytest.mark.parametrize(
    ("path", "named"),
    [
        (f"/m/{ITEM}/original.png?signature=ab", ITEM),
        (f"/m/{ITEM}/web.webp?signature=ab", None),
        (f"/m/{JOB}/original.png?signature=ab", None),
        (f"/o/{JOB}/2.webp?signature=ab", f"output:{JOB}/2"),
        (f"/o/{JOB}/0-web.webp?signature=ab", None),
        ("/o/another/0.webp", None),
        ("/files/a", None),
        ("", None),
    ],
)
def test_a_link_of_a_file_is_its_name(path, named):
    assert named == own_medium(f"https://media.example/base{path}", SETTINGS)
    assert own_medium(f"https://media.example{path}", SETTINGS) is None
