from pipelines.weights.lock_writer import add_converted, drop_unknown_bundles, is_complete
from pipelines.weights.lockfile import Converted, Lock, LockedFile, LockedModel
from tests.support.checkpoints.specs import spec

HUB = {"repo": "a/b", "revision": "1" * 40}
KNOWN = LockedFile(size=1, sha256="00")
(BUNDLE,) = spec(source=HUB).bundles


def lock(**files: LockedFile) -> Lock:
    return Lock({"tiny": LockedModel(files=files, **HUB)})


def test_complete_is_what_has_every_fact_of_the_right_revision() -> None:
    (moved,) = spec(source=HUB | {"revision": "2" * 40}).bundles

    assert is_complete(BUNDLE, lock(a=KNOWN))
    assert not is_complete(BUNDLE, lock(a=KNOWN, b=LockedFile(size=1, sha256=None)))
    assert not is_complete(BUNDLE, Lock())
    assert not is_complete(BUNDLE, lock())
    assert not is_complete(moved, lock(a=KNOWN))


def test_what_the_catalogue_does_not_name_any_more_leaves() -> None:
    both = Lock({**lock(a=KNOWN).models, "gone": LockedModel(files={"x": KNOWN})})

    assert lock(a=KNOWN) == drop_unknown_bundles(both, [BUNDLE])


def test_what_pickles_have_become_is_added() -> None:
    made = Converted(size=2, sha256="11")
    before = Lock({"tiny": LockedModel(files={"a.pt": KNOWN, "b.json": KNOWN}, **HUB)})

    after = add_converted(before, {("tiny", "a.pt"): made, ("tiny", "gone.pt"): made, ("gone", "a.pt"): made})

    assert {"a.pt": LockedFile(size=1, sha256="00", converted=made), "b.json": KNOWN} == after.models["tiny"].files
    assert before.models["tiny"].files["a.pt"].converted is None
