"""`atelier weights lock` and `fetch` against a server that speaks the hub's protocol, through its real client."""

import io
import os
import pickle
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save

from cli.weights.context import WeightsContext
from pipelines.weights.lockfile import Converted, LockedFile, write_lock
from tests.support.paths import TLS
from tests.support.servers.hub import Hub, Machine, Proxy, sha256
from tests.support.wait import until

REPO, COMMIT, OTHER = "maker/model", "c" * 40, "d" * 40
SOURCE = f'{{ repo = "{REPO}", revision = "{COMMIT}" }}'
LARGE = os.urandom(300_000)
FILES = {
    "model_index.json": b'{"_class_name": "X"}',
    "unet/model.safetensors": LARGE,
    "vae/model.safetensors": os.urandom(5000),
}


def pickled(value: object) -> bytes:
    made = io.BytesIO()
    torch.save(value, made)
    return made.getvalue()


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as server:
        server.repos[REPO, COMMIT] = {**FILES, ".gitattributes": b"*", "sample.png": b"png"}
        yield server


@pytest.fixture
def machine(tmp_path: Path, hub: Hub) -> Machine:
    made = Machine(tmp_path, hub)
    made.add_model("tiny", SOURCE)
    return made


@pytest.fixture
def locked(machine: Machine) -> Machine:
    """A machine whose lock knows every file."""
    machine.write_lock("tiny", REPO, COMMIT, FILES)
    return machine


class TestLock:
    def test_large_files_have_the_hubs_hash_small_ones_our_own(self, machine: Machine, hub: Hub) -> None:
        machine.run("lock")

        locked = machine.lock().models["tiny"]
        assert (REPO, COMMIT) == (locked.repo, locked.revision)
        assert {path: LockedFile(size=len(data), sha256=sha256(data)) for path, data in FILES.items()} == locked.files
        assert [] == hub.bodies("model.safetensors")

    @pytest.mark.long
    @pytest.mark.parametrize("length", [5, len(FILES["model_index.json"])])
    def test_a_file_of_another_revision_is_not_taken(self, machine: Machine, length: int) -> None:
        stale = machine.weights / ".incoming" / "tiny" / "model_index.json"
        stale.parent.mkdir(parents=True)
        stale.write_bytes(b"x" * length)

        machine.run("lock")

        assert sha256(FILES["model_index.json"]) == machine.lock().models["tiny"].files["model_index.json"].sha256

    @pytest.mark.long
    def test_only_wanted_files(self, machine: Machine) -> None:
        source = f'{{ repo = "{REPO}", revision = "{COMMIT}", include = ["*.safetensors"], exclude = ["vae/*"] }}'
        machine.add_model("some", source)

        machine.run("lock", "some")

        assert {"unet/model.safetensors"} == set(machine.lock().models["some"].files)

    def test_names_that_were_guessed_give_way_to_those_of_the_hub(self, machine: Machine) -> None:
        machine.write_lock("tiny", REPO, COMMIT, FILES)
        lock = machine.lock()
        lock.models["tiny"].files["guess.json"] = LockedFile(size=None, sha256=None)
        write_lock(lock, machine.lock_file)

        machine.run("lock")

        assert set(FILES) == set(machine.lock().models["tiny"].files)

    def test_a_file_gone_from_the_same_revision_is_an_error(self, locked: Machine, hub: Hub) -> None:
        del hub.repos[REPO, COMMIT]["vae/model.safetensors"]

        assert "vae/model.safetensors is in weights.lock and not among" in locked.run("lock", "tiny", status=1)

    def test_what_is_known_is_not_asked_for_again(self, locked: Machine, hub: Hub) -> None:
        assert "tiny: known already" in locked.run("lock")
        assert [] == hub.asked

    def test_a_hub_that_is_away_leaves_the_facts_there_are(self, locked: Machine) -> None:
        before = locked.lock()

        said = locked.run("lock", "tiny", status=1, HF_ENDPOINT="http://127.0.0.1:1")

        assert "http://127.0.0.1:1: " in said
        assert before == locked.lock()

    @pytest.mark.long
    def test_a_contradiction_is_refused_until_it_is_asked_for(self, locked: Machine, hub: Hub) -> None:
        before = locked.lock()
        hub.repos[REPO, COMMIT]["unet/model.safetensors"] = bytes(300_000)

        said = locked.run("lock", "tiny", status=1)
        assert "the sha256 of unet/model.safetensors is" in said
        assert before == locked.lock()

        locked.run("lock", "tiny", "--update")
        assert sha256(bytes(300_000)) == locked.lock().models["tiny"].files["unet/model.safetensors"].sha256

    def test_a_commit_that_is_gone(self, machine: Machine, hub: Hub) -> None:
        hub.repos[REPO, OTHER] = hub.repos.pop((REPO, COMMIT))

        assert f"{REPO} has no commit {COMMIT} any more" in machine.run("lock", status=1)

    def test_a_name_that_leads_out_of_the_folder_is_refused(self, machine: Machine, hub: Hub) -> None:
        hub.repos[REPO, COMMIT]["../evil.safetensors"] = b"x"

        assert "'../evil.safetensors' does not stay in its folder" in machine.run("lock", status=1)
        assert {} == machine.lock().models


class TestFetch:
    def test_files_come_verified_and_nothing_else(self, locked: Machine, hub: Hub) -> None:
        assert "tiny: ready" in locked.run("fetch", "tiny", "--jobs", "2", HF_TOKEN="hf_secret")

        assert FILES == locked.files("tiny")
        assert "tiny: as locked" in locked.run("verify", "tiny")
        assert {"Bearer hf_secret"} == {one.token for one in hub.asked if "/resolve/" in one.path}
        assert {None} == {one.token for one in hub.asked if one.path.startswith("/cdn/")}
        assert [] == [one for one in hub.asked if COMMIT not in one.path], "nothing else is requested"

    @pytest.mark.long
    def test_what_is_there_and_right_is_not_fetched_again(self, locked: Machine, hub: Hub) -> None:
        locked.run("fetch", "tiny")
        (locked.weights / "tiny" / "vae" / "model.safetensors").write_bytes(b"x" * 5000)
        hub.asked.clear()

        locked.run("fetch", "--all")

        assert {"vae/model.safetensors"} == {one.path.partition(COMMIT + "/")[2] for one in hub.asked}
        assert FILES == locked.files("tiny")

    def test_bars_show_bytes_on_a_terminal(self, locked: Machine) -> None:
        said = locked.run("fetch", "tiny", FORCE_COLOR="1")

        assert "305.0/305.0 kB" in re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", said)

    def test_without_a_name_it_says_what_there_is_and_stops(self, locked: Machine, hub: Hub) -> None:
        said = locked.run("fetch", status=2)

        assert "tiny standard Apache-2.0 not fetched 305.0 kB" in said
        assert [] == hub.asked

    def test_a_corrupted_file_is_refused(self, locked: Machine, hub: Hub) -> None:
        hub.wrong["unet/model.safetensors"] = LARGE[:-1] + bytes([LARGE[-1] ^ 1])

        said = locked.run("fetch", "tiny", status=1)

        assert f"tiny: unet/model.safetensors: the sha256 is {sha256(hub.wrong['unet/model.safetensors'])}" in said
        assert {"model_index.json", "vae/model.safetensors"} == set(locked.files("tiny"))
        assert [] == [file.name for file in locked.weights.rglob("unet/*")]

    @pytest.mark.long
    def test_a_longer_file_is_refused(self, locked: Machine, hub: Hub) -> None:
        hub.wrong["unet/model.safetensors"] = LARGE + b"more"

        assert "more than the 300000 bytes" in locked.run("fetch", "tiny", status=1)

    def test_a_lost_connection_goes_on_from_where_it_was(self, locked: Machine, hub: Hub) -> None:
        hub.cut["unet/model.safetensors"] = [100_000, 50_000]

        locked.run("fetch", "tiny")

        assert [None, "bytes=100000-", "bytes=150000-"] == [one.range for one in hub.bodies("unet/model.safetensors")]
        assert FILES == locked.files("tiny")

    @pytest.mark.long
    def test_a_truncated_file_is_resumed_by_the_next_run(self, locked: Machine, hub: Hub) -> None:
        hub.cut["unet/model.safetensors"] = [100_000] + [0] * 20

        said = locked.run("fetch", "tiny", status=1)
        assert "(tried 5 times; run it again to go on from here)" in said
        assert "unet/model.safetensors" not in locked.files("tiny")
        assert 6 == len(hub.bodies("unet/model.safetensors"))

        hub.cut.clear()
        hub.asked.clear()
        locked.run("fetch", "tiny")
        assert ["bytes=100000-"] == [one.range for one in hub.bodies("unet/model.safetensors")]
        assert FILES == locked.files("tiny")

    @pytest.mark.long
    def test_a_beginning_that_was_wrong_is_fetched_anew(self, locked: Machine, hub: Hub) -> None:
        begun = locked.weights / ".incoming" / "tiny" / "unet" / "model.safetensors"
        begun.parent.mkdir(parents=True)
        begun.write_bytes(bytes(1000))

        locked.run("fetch", "tiny")

        assert ["bytes=1000-", None] == [one.range for one in hub.bodies("unet/model.safetensors")]
        assert FILES == locked.files("tiny")

    @pytest.mark.long
    def test_ctrl_c_keeps_what_came(self, locked: Machine, hub: Hub) -> None:
        hub.cut["unet/model.safetensors"] = [100_000] + [0] * 20
        hub.stalled.clear()
        with locked.start("fetch", "tiny", HF_HUB_DOWNLOAD_TIMEOUT="1") as process:
            until(lambda: len(hub.bodies("unet/model.safetensors")) > 1, 60, "the second try")
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=60)

        assert 130 == process.returncode
        assert b"The received bytes are kept" in said
        assert LARGE[:100_000] == (locked.weights / ".incoming" / "tiny" / "unet" / "model.safetensors").read_bytes()

    @pytest.mark.long
    def test_a_hub_that_answers_with_another_commit(self, locked: Machine, hub: Hub) -> None:
        hub.moved = OTHER

        said = locked.run("fetch", "tiny", status=1)

        assert f"was asked for at {COMMIT} and answers with {OTHER}" in said
        assert {} == locked.files("tiny")

    @pytest.mark.long
    def test_a_revision_that_has_gone(self, locked: Machine, hub: Hub) -> None:
        hub.repos[REPO, OTHER] = hub.repos.pop((REPO, COMMIT))

        assert f"{REPO} has no commit {COMMIT} any more" in locked.run("fetch", "tiny", status=1)

    @pytest.mark.long
    def test_a_hub_that_has_another_file_at_the_same_commit(self, locked: Machine, hub: Hub) -> None:
        hub.repos[REPO, COMMIT]["unet/model.safetensors"] = bytes(300_000)

        assert "the hub has another sha256 than weights.lock" in locked.run("fetch", "tiny", status=1)
        assert [] == hub.bodies("unet/model.safetensors")

    @pytest.mark.long
    def test_a_gated_model_says_what_to_do(self, locked: Machine, hub: Hub) -> None:
        hub.gated.add(REPO)

        assert f"accept its terms at {hub.url}/{REPO} and set HF_TOKEN" in locked.run("fetch", "tiny", status=1)
        assert "ready" in locked.run("fetch", "tiny", HF_TOKEN="hf_secret")

    def test_a_hub_that_is_away_is_said_at_once(self, locked: Machine) -> None:
        said = locked.run("fetch", "tiny", status=1, HF_ENDPOINT="http://127.0.0.1:1")

        assert "no answer; check the network, HTTPS_PROXY and HF_ENDPOINT" in said
        assert "tried" not in said
        assert {} == locked.files("tiny")

    @pytest.mark.long
    def test_a_hub_that_never_answers_is_waited_for_once(self, locked: Machine) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
            said = locked.run("fetch", "tiny", "--jobs", "1", status=1, HF_ENDPOINT=endpoint, HF_HUB_ETAG_TIMEOUT="1")
            silent.settimeout(0)
            silent.accept()[0].close()
            with pytest.raises(BlockingIOError):
                silent.accept()

        assert 1 == said.count(f"tiny: {endpoint}: timed out: no answer")

    @pytest.mark.long
    def test_a_file_that_came_is_not_waited_for_again(self, locked: Machine, hub: Hub) -> None:
        """A connection that is lost after an answer is another thing than a hub that is away."""
        hub.cut["unet/model.safetensors"] = [0, 0]

        assert "tiny: ready" in locked.run("fetch", "tiny")

    def test_a_disk_that_is_too_small(self, locked: Machine, hub: Hub) -> None:
        lock = locked.lock()
        lock.models["tiny"].files["vae/model.safetensors"] = LockedFile(size=10**18, sha256="0" * 64)
        write_lock(lock, locked.lock_file)

        assert "nothing was fetched" in locked.run("fetch", "tiny", status=1)
        assert [] == hub.asked

    @pytest.mark.long
    def test_a_file_too_many_is_named(self, locked: Machine) -> None:
        (locked.weights / "tiny").mkdir(parents=True)
        (locked.weights / "tiny" / "extra.json").write_text("{}")

        assert "tiny: extra.json is not in weights.lock" in locked.run("fetch", "tiny", status=1)

    @pytest.mark.long
    def test_the_files_of_a_lora_come_too(self, machine: Machine, hub: Hub) -> None:
        hub.repos["maker/lora", OTHER] = {"fast.safetensors": b"fast" * 9, "slow.safetensors": b"slow"}
        machine.add_model(
            "big",
            SOURCE,
            more=f'[model.loras.fast]\nfile = "fast.safetensors"\n'
            f'source = {{ repo = "maker/lora", revision = "{OTHER}", include = ["fast*"] }}',
        )
        machine.run("lock", "big")

        machine.run("fetch", "big")

        assert {"fast.safetensors": b"fast" * 9} == machine.files("big+fast")
        assert FILES == machine.files("big")

    @pytest.mark.long
    def test_parts_and_another_models_files_come_once(self, machine: Machine, hub: Hub) -> None:
        hub.repos["maker/voice", OTHER] = {"config.json": b"{}"}
        voice = f'source = {{ repo = "maker/voice", revision = "{OTHER}" }}'
        machine.add_model("whole", SOURCE, more=f"[model.parts.voice]\n{voice}")
        machine.add_model("again", '{ model = "whole" }')
        machine.run("lock", "whole", "again")

        said = machine.run("fetch", "whole", "again")

        assert "4 files" in said
        assert "again: ready" in said
        assert FILES | {"voice/config.json": b"{}"} == machine.files("whole")
        assert {"whole", "whole+voice"} == set(machine.lock().models)
        assert "whole: as locked" in machine.run("verify", "whole")


class TestUnknownFacts:
    """Files whose facts the lock lacks: they come from the commit that the catalog names."""

    @pytest.fixture
    def partly(self, locked: Machine) -> Machine:
        """A machine whose lock knows the sizes of two files, and one file whole."""
        lock = locked.lock()
        for path in ("model_index.json", "unet/model.safetensors"):
            lock.models["tiny"].files[path] = LockedFile(size=len(FILES[path]), sha256=None)
        write_lock(lock, locked.lock_file)
        return locked

    @pytest.mark.long
    def test_they_come_from_the_commit_and_the_lock_has_them(self, partly: Machine) -> None:
        said = partly.run("fetch", "tiny")

        assert f"tiny: 3 files, as commit {COMMIT} has them" in said
        assert "tiny: ready" in said
        assert FILES == partly.files("tiny")
        assert {path: LockedFile(size=len(data), sha256=sha256(data)) for path, data in FILES.items()} == (
            partly.lock().models["tiny"].files
        )

    @pytest.mark.long
    def test_a_small_file_comes_once(self, partly: Machine, hub: Hub) -> None:
        partly.run("fetch", "tiny")

        assert 1 == len(hub.bodies("model_index.json"))

    @pytest.mark.long
    def test_a_known_file_stays_as_it_is_known(self, partly: Machine, hub: Hub) -> None:
        hub.repos[REPO, COMMIT]["vae/model.safetensors"] = bytes(5000)

        assert "the sha256 of vae/model.safetensors is" in partly.run("fetch", "tiny", status=1)
        assert {} == partly.files("tiny")

    @pytest.mark.long
    def test_a_small_file_that_the_commit_does_not_name_is_refused(self, partly: Machine, hub: Hub) -> None:
        before = partly.lock()
        hub.wrong["model_index.json"] = b"x" * len(FILES["model_index.json"])

        said = partly.run("fetch", "tiny", status=1)

        assert f"tiny: model_index.json is not the file of commit {COMMIT}; it was removed" in said
        assert before == partly.lock()
        assert [] == list(partly.weights.rglob("model_index.json"))

    @pytest.mark.long
    def test_a_hub_that_says_nothing_of_the_commit_is_refused(self, partly: Machine, hub: Hub) -> None:
        hub.names_blobs = False

        assert "so nothing holds it to its commit" in partly.run("fetch", "tiny", status=1)

    @pytest.mark.long
    def test_a_hub_that_is_away_is_asked_once(self, partly: Machine) -> None:
        partly.add_model("more", SOURCE)

        said = partly.run("fetch", "tiny", "more", status=1, HF_ENDPOINT="http://127.0.0.1:1")

        assert 1 == said.count("asking http://127.0.0.1:1")
        assert 2 == said.count("no answer; check the network")

    def test_a_read_only_lock_is_completed_beside_the_weights(
        self, partly: Machine, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub.repos[REPO, COMMIT]["ve.pt"] = pickled({"a": torch.ones(3)})
        before = partly.lock_file.read_bytes()
        monkeypatch.setattr(WeightsContext, "can_write", False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )

        said = partly.run_here("fetch", "tiny")

        assert f"as commit {COMMIT} has them; written to {partly.weights / 'weights.lock'}" in said
        assert before == partly.lock_file.read_bytes()
        assert "tiny: as locked" in partly.run_here("verify", "tiny")
        assert {*FILES, "ve.safetensors"} == set(partly.files("tiny"))
        hub.asked.clear()
        assert "tiny: ready" in partly.run_here("fetch", "tiny")
        assert [] == hub.asked


class TestUrl:
    @pytest.mark.long
    def test_one_file_by_https_through_a_proxy(self, machine: Machine, hub: Hub) -> None:
        url = "https://hooks.example/releases/v1/net.onnx"
        machine.add_model("net", f'{{ url = "{url}" }}')
        with Hub(certificate=TLS / "server.pem") as server, Proxy(server.port) as proxy:
            server.plain["/releases/v1/net.onnx"] = LARGE
            way = {"HTTPS_PROXY": proxy.url, "ATELIER_CA_BUNDLE": str(TLS / "ca.pem"), "HF_TOKEN": "hf_secret"}

            assert "give --trust-first-use" in machine.run("fetch", "net", status=1, **way)
            assert [] == server.asked
            assert "its first download is trusted" in machine.run("lock", "net", **way)
            assert "net: ready" in machine.run("fetch", "net", **way)

            assert url == machine.lock().models["net"].url
            assert {"net.onnx": LARGE} == machine.files("net")
            assert [None] == [one.token for one in server.asked], "once, and the hub's token stays with the hub"
            assert {"hooks.example:443"} == set(proxy.asked)

    @pytest.mark.long
    def test_it_is_trusted_where_that_is_said(self, machine: Machine) -> None:
        machine.add_model("net", '{ url = "https://hooks.example/net.onnx" }')
        with Hub(certificate=TLS / "server.pem") as server, Proxy(server.port) as proxy:
            server.plain["/net.onnx"] = LARGE
            way = {"HTTPS_PROXY": proxy.url, "ATELIER_CA_BUNDLE": str(TLS / "ca.pem")}

            said = machine.run("fetch", "net", "--trust-first-use", **way)

        assert f"compare the sha256 with its publisher's: {sha256(LARGE)}" in said
        assert {"net.onnx": LARGE} == machine.files("net")
        assert 1 == len(server.asked)

    @pytest.mark.long
    def test_a_certificate_of_nobody_we_know(self, machine: Machine) -> None:
        machine.add_model("net", '{ url = "https://hooks.example/net.onnx" }')
        with Hub(certificate=TLS / "server.pem") as server, Proxy(server.port) as proxy:
            said = machine.run("lock", "net", status=1, HTTPS_PROXY=proxy.url)

        assert "certificate verify failed" in said.lower()
        assert "net" not in machine.lock().models


class TestPickles:
    @pytest.fixture
    def weights(self, machine: Machine, hub: Hub) -> dict[str, torch.Tensor]:
        tensors = {"a.weight": torch.randn(4, 5), "b": torch.arange(3)}
        hub.repos[REPO, OTHER] = {
            "ve.pt": pickled({"a": {"weight": tensors["a.weight"]}, "b": tensors["b"], "c": None})
        }
        machine.add_model("voice", f'{{ repo = "{REPO}", revision = "{OTHER}" }}')
        machine.run("lock", "voice")
        return tensors

    @pytest.mark.long
    def test_it_becomes_safetensors_once_and_the_lock_knows_both(
        self, machine: Machine, hub: Hub, weights: dict[str, torch.Tensor]
    ) -> None:
        machine.run("fetch", "voice")

        assert {"ve.safetensors"} == set(machine.files("voice"))
        found = load_file(machine.weights / "voice" / "ve.safetensors")
        assert weights.keys() == found.keys()
        assert all(torch.equal(weights[name], found[name]) for name in weights)
        assert [] == list(machine.weights.rglob("*.pt"))
        facts = machine.lock().models["voice"].files["ve.pt"]
        assert facts.sha256 == sha256(hub.repos[REPO, OTHER]["ve.pt"])
        assert facts.converted is not None
        assert facts.converted.sha256 == sha256(machine.files("voice")["ve.safetensors"])
        assert "voice: as locked" in machine.run_here("verify", "voice")

    @pytest.mark.long
    def test_every_conversion_gives_the_same_bytes(
        self, machine: Machine, hub: Hub, weights: dict[str, torch.Tensor]
    ) -> None:
        machine.run("fetch", "voice")
        first = machine.files("voice")
        hub.asked.clear()

        machine.run("fetch", "voice")
        assert [] == hub.asked

        (machine.weights / "voice" / "ve.safetensors").unlink()
        machine.run("fetch", "voice")
        assert first == machine.files("voice")

    def test_one_that_would_run_code_is_refused_and_does_not_run(
        self, machine: Machine, hub: Hub, tmp_path: Path
    ) -> None:
        marker = tmp_path / "ran"

        class Evil:
            def __reduce__(self) -> tuple[object, tuple[str]]:
                return os.system, (f"touch {marker}",)

        hub.repos[REPO, OTHER] = {"zip.pt": pickled({"a": Evil()}), "old.bin": pickle.dumps(Evil())}
        machine.add_model("evil", f'{{ repo = "{REPO}", revision = "{OTHER}" }}')
        machine.run("lock", "evil")

        said = machine.run("fetch", "evil", status=1)

        assert 2 == said.count("refused: the pickle holds other objects than tensors")
        assert not marker.exists()
        assert {} == machine.files("evil")
        assert [] == [*machine.weights.rglob("*.pt"), *machine.weights.rglob("*.bin")]


class TestStoredInAnotherPrecision:
    """Safetensors that are published in float32, and a catalog that has them stored in bfloat16."""

    STORED = (
        f'{{ repo = "{REPO}", revision = "{OTHER}", '
        'stored_as = [{ files = "net/*", dtype = "bfloat16", float32 = ["norm"] }] }'
    )

    @pytest.fixture
    def tensors(self, machine: Machine, hub: Hub) -> dict[str, torch.Tensor]:
        made = {"a.weight": torch.randn(40, 50), "norm.weight": torch.randn(5)}
        hub.repos[REPO, OTHER] = {"net/model.safetensors": save(made), "vae/model.safetensors": save(made)}
        machine.add_model("large", self.STORED)
        machine.write_lock("large", REPO, OTHER, hub.repos[REPO, OTHER])
        return made

    def found(self, machine: Machine) -> dict[str, torch.Tensor]:
        return load_file(machine.weights / "large" / "net" / "model.safetensors")

    def lay(self, machine: Machine, hub: Hub) -> None:
        """Have the files lie there as they are published."""
        for path, data in hub.repos[REPO, OTHER].items():
            (machine.weights / "large" / path).parent.mkdir(parents=True, exist_ok=True)
            (machine.weights / "large" / path).write_bytes(data)

    @pytest.mark.long
    def test_it_is_cast_once_and_the_lock_knows_both(
        self, machine: Machine, hub: Hub, tensors: dict[str, torch.Tensor]
    ) -> None:
        machine.run("fetch", "large")

        found = self.found(machine)
        assert torch.equal(tensors["a.weight"].bfloat16(), found["a.weight"])
        assert torch.equal(tensors["norm.weight"], found["norm.weight"])
        published, files = hub.repos[REPO, OTHER], machine.files("large")
        assert published["vae/model.safetensors"] == files["vae/model.safetensors"]
        facts = machine.lock().models["large"].files["net/model.safetensors"]
        assert sha256(published["net/model.safetensors"]) == facts.sha256
        assert facts.converted == Converted(
            size=len(files["net/model.safetensors"]),
            sha256=sha256(files["net/model.safetensors"]),
            dtype="bfloat16",
            float32=("norm",),
        )
        assert machine.lock().models["large"].files["vae/model.safetensors"].converted is None
        assert "large: as locked" in machine.run_here("verify", "large")
        hub.asked.clear()
        assert "large: ready" in machine.run("fetch", "large")
        assert [] == hub.asked

    def test_one_that_was_fetched_before_is_cast_where_it_lies(
        self, machine: Machine, hub: Hub, tensors: dict[str, torch.Tensor]
    ) -> None:
        self.lay(machine, hub)
        assert "large: as locked" in machine.run_here("verify", "large")
        machine.run_here("fetch", "large")

        assert torch.bfloat16 == self.found(machine)["a.weight"].dtype
        assert [] == hub.asked
        assert "large: as locked" in machine.run_here("verify", "large")

    def test_a_lock_that_cannot_be_written_leaves_it_as_it_is(
        self, machine: Machine, hub: Hub, tensors: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(WeightsContext, "can_write", False)
        self.lay(machine, hub)
        said = machine.run_here("fetch", "large")

        assert "large: stored as it is published, since weights.lock cannot be written" in said
        assert hub.repos[REPO, OTHER] == machine.files("large")
        assert "large: as locked" in machine.run_here("verify", "large")

    def test_another_result_than_the_locks_is_refused(
        self, machine: Machine, hub: Hub, tensors: dict[str, torch.Tensor]
    ) -> None:
        self.lay(machine, hub)
        machine.run_here("fetch", "large")
        lock = machine.lock()
        file = lock.models["large"].files["net/model.safetensors"]
        assert file.converted is not None
        wrong = msgspec.structs.replace(file.converted, sha256="0" * 64)
        lock.models["large"].files["net/model.safetensors"] = msgspec.structs.replace(file, converted=wrong)
        write_lock(lock, machine.lock_file)

        self.lay(machine, hub)
        said = machine.run_here("fetch", "large", status=1)
        assert "its safetensors are not those of weights.lock; they were removed" in said
