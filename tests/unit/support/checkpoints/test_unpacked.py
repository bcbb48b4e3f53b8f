"""Demo models that are not there: left out of a run, and missing in one of everything."""

import pytest

from tests.support.checkpoints import unpacked
from tests.support.paths import ROOT


def test_a_missing_model_fails_where_all_were_brought(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacked, "weights_folder", lambda folder: tmp_path)
    reason = "demo-labels is not unpacked: run `make descriptions`"
    with pytest.raises(pytest.skip.Exception, match=reason):
        unpacked.unpacked_model("demo-labels", required=False)
    with pytest.raises(pytest.fail.Exception, match=reason):
        unpacked.unpacked_model("demo-labels", required=True)
    (tmp_path / "demo-labels").mkdir()
    (tmp_path / "demo-labels" / "model.safetensors").touch()
    assert tmp_path / "demo-labels" == unpacked.unpacked_model("demo-labels", required=True)


def test_they_are_those_that_make_unpacks():
    makefile = (ROOT / "Makefile").read_text()
    for name, (target, file) in unpacked.TARGETS.items():
        assert f"$(WEIGHTS)/{name}/{file}\n" in makefile
        assert f"\n{target}: $(STAMP)" in makefile
    assert len(unpacked.TARGETS) == makefile.count(":= $(WEIGHTS)/")
