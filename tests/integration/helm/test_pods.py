"""What runs in the pods and as whom: Pod Security "restricted", commands and settings that exist, probes that work."""

import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import msgspec
import pytest
import rich_click as click

from api.app import create_app
from cli.main import atelier
from core.settings import Settings
from tests.support.deploy.chart import (
    LEAST,
    MATRIX,
    containers,
    environment,
    manifest,
    manifests,
    over,
    pod_templates,
    render,
    values,
)
from workers.probe_files import ProbeFiles

RESTRICTED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
SECRET = re.compile(r"(DATABASE_URL|BROKER_URL|SECRET_KEY|AWS_SECRET_ACCESS_KEY|AWS_ACCESS_KEY_ID)$")


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    """Paths of the API."""
    folder = tmp_path_factory.mktemp("store")
    return {route.path for route in create_app(Settings(secret_key="x" * 32, storage_url=f"file://{folder}")).routes}


def parsed(arguments):
    """Have the command line read the arguments without running anything; raises `click.UsageError`."""
    command, context = atelier, None
    while isinstance(command, click.Group):
        context = command.make_context("atelier", list(arguments), parent=context)
        name, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    return command.make_context(name, list(arguments), parent=context).params


@pytest.mark.parametrize("case", MATRIX)
def test_pods_are_restricted(case):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards, "restricted", and a read-only root."""
    for component, template in pod_templates(case):
        spec = template["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec), component
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert 10001 == spec["securityContext"]["runAsUser"]
        assert "RuntimeDefault" == spec["securityContext"]["seccompProfile"]["type"]
        for volume in spec["volumes"]:
            assert RESTRICTED_VOLUMES >= set(volume) - {"name"}, component
        for container in containers(template):
            context = container["securityContext"]
            assert "runAsUser" not in context
            assert (True, True, False) == (
                context["runAsNonRoot"],
                context["readOnlyRootFilesystem"],
                context["allowPrivilegeEscalation"],
            )
            assert {"drop": ["ALL"]} == context["capabilities"]
            assert not any("hostPort" in port for port in container.get("ports", ()))


@pytest.mark.parametrize("case", MATRIX)
def test_no_pod_has_a_token_of_the_cluster(case):
    for component, template in pod_templates(case):
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, component
        sources = [source for volume in spec["volumes"] for source in volume.get("projected", {}).get("sources", ())]
        assert [] == [source for source in sources if "serviceAccountToken" in source]
    assert all(one["automountServiceAccountToken"] is False for one in manifests(case, "ServiceAccount"))


@pytest.mark.parametrize("case", MATRIX)
def test_mounts_exist_and_the_root_is_not_written_to(case):
    for component, template in pod_templates(case):
        volumes = {volume["name"] for volume in template["spec"]["volumes"]}
        templates = [one for one in manifests(case, "StatefulSet") if one["spec"]["template"] == template]
        claimed = {
            claim["metadata"]["name"] for one in templates for claim in one["spec"].get("volumeClaimTemplates", ())
        }
        for container in containers(template):
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert volumes | claimed >= set(mounts.values()), component
            for name in ("HOME", "ATELIER_SCRATCH_DIR", "ATELIER_WEIGHTS_DIR", "ATELIER_COMPILE_CACHE"):
                path = environment(container).get(name)
                assert path is None or path in mounts, (component, name)


@pytest.mark.parametrize("case", MATRIX)
def test_secrets_are_only_referred_to(case):
    assert [] == manifests(case, "Secret")
    for component, template in pod_templates(case):
        for container in containers(template):
            given = {name for name, value in environment(container).items() if value is not None}
            assert [] == [name for name in given if SECRET.search(name)], component


def test_each_pod_gets_only_the_secrets_that_it_needs():
    secrets = {
        component: {name for name in environment(containers(template)[0]) if name.endswith("_FILE")}
        for component, template in pod_templates("weights that a Job fetches")
    }
    both = {"ATELIER_DATABASE_URL_FILE", "ATELIER_BROKER_URL_FILE"}
    assert both | {"ATELIER_SECRET_KEY_FILE"} == secrets["api"] == secrets["cpu-worker"]
    assert {"ATELIER_DATABASE_URL_FILE"} == secrets["migrations"]
    assert set() == secrets["weights"]
    workers = manifest("least", "StatefulSet", "atelier-gpu-default")["spec"]["template"]
    assert both == {name for name in environment(containers(workers)[0]) if name.endswith("_FILE")}


@pytest.mark.parametrize("case", MATRIX)
def test_every_setting_exists(case):
    fields = {f"ATELIER_{field.name.upper()}" for field in msgspec.structs.fields(Settings)}
    for component, template in pod_templates(case):
        for container in containers(template):
            names = [one["name"] for one in container.get("env", ())]
            assert len(names) == len(set(names)), component
            ours = {name.removesuffix("_FILE") for name in names if name.startswith("ATELIER_")}
            assert fields >= ours, component


def test_numbers_arrive_as_they_were_written():
    workers = manifest("settings", "StatefulSet", "atelier-gpu-default")["spec"]["template"]
    given = environment(containers(workers)[0])
    assert ("70000000000", "45", "false") == (
        given["ATELIER_VRAM_BUDGET"],
        given["ATELIER_LEASE_SECONDS"],
        given["ATELIER_DEVELOPMENT"],
    )
    cpu = manifest("settings", "Deployment", "atelier-cpu-worker")["spec"]["template"]
    assert "12.5" == environment(containers(cpu)[0])["ATELIER_LEASE_SECONDS"]
    assert "true" == environment(containers(cpu)[0])["ATELIER_DEVELOPMENT"]


@pytest.mark.parametrize("case", MATRIX)
def test_every_command_is_one_of_the_command_line(case):
    for component, template in pod_templates(case):
        for container in containers(template):
            if "args" in container:
                parsed(container["args"])
            else:
                shell, flag, script, *rest = container["command"]
                assert "sh" == shell
                assert {"-c", "-ec"} >= {flag}
                for words in re.findall(r'atelier ([a-z/ ]+) "\$@"', script):
                    parsed([*shlex.split(words.replace("/carried", "/")), *rest[1:]])
                assert ("atelier " in script) == (component == "weights" or container["name"] == "fetch-weights")


def test_a_worker_is_named_after_its_pod_and_keeps_its_models():
    first = manifest("pools", "StatefulSet", "atelier-gpu-default")["spec"]["template"]["spec"]["containers"][0]
    assert ["worker", "gpu", "--server-id", "$(POD_NAME)", "--preload", "flux2-klein-4b"] == first["args"]
    assert {"fieldRef": {"fieldPath": "metadata.name"}} == first["env"][0]["valueFrom"]
    studio = manifest("pools", "StatefulSet", "atelier-gpu-studio")["spec"]
    assert "--dedicated" in studio["template"]["spec"]["containers"][0]["args"]
    assert "nvidia" == studio["template"]["spec"]["runtimeClassName"]


def test_each_worker_has_one_gpu_or_slice():
    limits = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        for one in manifests("pools", "StatefulSet")
    }
    assert 1 == limits["atelier-gpu-default"]["nvidia.com/gpu"]
    assert {"memory": "64Gi", "nvidia.com/mig-3g.40gb": 1} == limits["atelier-gpu-small"]
    cloud = manifest("a cloud", "StatefulSet", "studio-media-gpu-default")["spec"]["template"]["spec"]
    assert {"gpu": "h100"} == cloud["nodeSelector"]
    assert ["gpu"] == [one["key"] for one in cloud["tolerations"]]


@pytest.mark.parametrize(
    ("changes", "device"),
    [
        ({}, "cuda:0"),
        ({"gpuResource": "nvidia.com/mig-3g.40gb"}, "cuda:0"),
        ({"gpuResource": ""}, "cpu"),
        ({"settings": {"device": "cpu"}}, "cpu"),
    ],
)
def test_a_pool_names_its_device(changes, device):
    """A pod whose GPU torch cannot use fails then, with the reason, and does not compute on the CPU."""
    rendered = render(over(values("least"), {"gpu": {"defaults": changes}}))
    (pool,) = [one for one in rendered if one["kind"] == "StatefulSet"]
    assert device == environment(containers(pool["spec"]["template"])[0])["ATELIER_DEVICE"]


def test_memory_that_will_be_pinned_is_requested():
    for one in manifests("pools", "StatefulSet"):
        resources = one["spec"]["template"]["spec"]["containers"][0]["resources"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]


def test_a_pod_without_a_gpu_sees_none():
    workers = manifest("demo models on the CPU", "StatefulSet", "atelier-gpu-default")["spec"]["template"]
    assert {"memory"} == set(containers(workers)[0]["resources"]["limits"])
    assert "void" == environment(containers(workers)[0])["NVIDIA_VISIBLE_DEVICES"]
    assert "tolerations" not in workers["spec"]


def test_the_longest_job_may_end_before_the_pod_is_killed():
    films = manifest("pools", "StatefulSet", "atelier-gpu-films")["spec"]["template"]
    assert "1800" == environment(containers(films)[0])["ATELIER_GRACE_SECONDS"]
    assert 1950 == films["spec"]["terminationGracePeriodSeconds"]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_the_api_is_probed_where_it_has_routes(routes, kind):
    probe = manifest("least", "Deployment", "atelier-api")["spec"]["template"]["spec"]["containers"][0][kind]
    assert "http" == probe["httpGet"]["port"]
    assert probe["httpGet"]["path"] in routes


def probes(deployment):
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {name: container[name]["exec"]["command"] for name in container if name.endswith("Probe")}


def passes(command, folder: Path) -> bool:
    """Run a probe for real, on another folder."""
    here = [word.replace("/scratch", str(folder)) for word in command]
    return 0 == subprocess.run(here, capture_output=True, timeout=10, check=False).returncode


@pytest.mark.parametrize(
    ("kind", "deployment"),
    [("gpu", ("StatefulSet", "atelier-gpu-default")), ("cpu", ("Deployment", "atelier-cpu-worker"))],
)
def test_workers_are_probed_by_the_files_that_they_write(tmp_path, kind, deployment):
    commands = probes(manifest("least", *deployment))
    files = ProbeFiles(Settings(scratch_dir=str(tmp_path)), kind)
    assert {False} == {passes(command, tmp_path) for command in commands.values()}
    files.touch(ready=True)
    assert {True} == {passes(command, tmp_path) for command in commands.values()}
    old = time.time() - 600
    os.utime(files.alive, (old, old))
    assert not passes(commands["livenessProbe"], tmp_path)


def test_a_worker_whose_engine_is_down_is_alive_and_not_ready(tmp_path):
    commands = probes(manifest("least", "StatefulSet", "atelier-gpu-default"))
    ProbeFiles(Settings(scratch_dir=str(tmp_path)), "gpu").touch(ready=False)
    assert passes(commands["livenessProbe"], tmp_path)
    assert not passes(commands["readinessProbe"], tmp_path)


@pytest.mark.long
def test_ingress_has_every_route_but_probes_and_metrics(routes):
    (ingress,) = manifests("ingress", "Ingress")
    (home, *others) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert ("/", "Exact") == (home["path"], home["pathType"])
    assert {"Prefix"} == {one["pathType"] for one in others}
    paths = [one["path"] for one in others]
    inside = ("/health", "/metrics")

    def leads(prefix, route):
        return route == prefix or route.startswith(f"{prefix}/")

    wanted = {route for route in routes if route != "/" and not any(leads(one, route) for one in inside)}
    assert set() == {route for route in wanted if not any(leads(path, route) for path in paths)}
    assert [] == [path for path in paths if not any(leads(path, route) for route in wanted)]
    assert not any(leads(path, one) for path in paths for one in inside)


def test_an_ingress_of_everything_says_the_root_once():
    given = over(LEAST, {"ingress": {"enabled": True, "host": "x.example", "paths": ["/"]}})
    (ingress,) = (one for one in render(given) if one["kind"] == "Ingress")
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    assert ("/", "Prefix") == (path["path"], path["pathType"])


def test_the_ingress_lets_events_through():
    (ingress,) = manifests("ingress", "Ingress")
    given = ingress["metadata"]["annotations"]
    assert "off" == given["nginx.ingress.kubernetes.io/proxy-buffering"]
    assert int(given["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > Settings().wait_limit
    assert Settings().media_body_limit <= 28 * 2**20


def test_migrations_come_first_and_need_nothing_later():
    job = manifest("catalog, keys and authorities", "Job", "atelier-migrations")
    assert "pre-install,pre-upgrade" == job["metadata"]["annotations"]["helm.sh/hook"]
    spec = job["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec
    made = {one["metadata"]["name"] for one in manifests("catalog, keys and authorities", "ConfigMap")}
    assert not made & {volume.get("configMap", {}).get("name") for volume in spec["volumes"]}


def test_workers_wait_for_the_very_weights_that_the_job_brings():
    case = "weights that a Job fetches"
    (job,) = (one for one in manifests(case, "Job") if "weights" in one["metadata"]["name"])
    script = containers(job["spec"]["template"])[0]["command"][2]
    mark = re.search(r"/weights/\.complete-([0-9a-f]{10})", script)
    assert mark is not None
    workers = manifest(case, "StatefulSet", "atelier-gpu-default")["spec"]["template"]["spec"]
    assert mark[0] in workers["initContainers"][0]["command"][2]
    assert "await-weights" == workers["initContainers"][0]["name"]


def test_changed_job_gets_another_name():
    """Kubernetes refuses to change a Job; and a proxy that moved does not start GPU workers anew."""
    given = values("weights that a Job fetches")

    def made(changed):
        every = render(over(given, changed))
        (job,) = (one for one in every if one["kind"] == "Job" and "weights" in one["metadata"]["name"])
        (workers,) = (one for one in every if one["kind"] == "StatefulSet")
        return job["metadata"]["name"], workers["spec"]["template"]

    job, workers = made({})
    assert (job, workers) == made({"api": {"replicas": 5}})
    elsewhere = made({"weights": {"env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}})
    assert job != elsewhere[0]
    assert workers == elsewhere[1]
    more = made({"weights": {"models": ["flux2-klein-4b", "sdxl"]}})
    assert job != more[0]
    assert workers != more[1]


def run_script(script, folder, *words):
    """Run an init container's script for real, on another folder and without its long pauses."""
    here = script.replace("/weights", str(folder)).replace("sleep 5", "sleep 0.01")
    return subprocess.run(["sh", "-c", here, *words], capture_output=True, text=True, timeout=20, check=False)


def test_who_waits_for_weights_says_so_and_gives_up(tmp_path):
    given = over(values("weights that a Job fetches"), {"weights": {"deadlineSeconds": 130}})
    (workers,) = (one for one in render(given) if one["kind"] == "StatefulSet")
    (init,) = workers["spec"]["template"]["spec"]["initContainers"]
    gone = run_script(init["command"][2], tmp_path)
    logs = "kubectl -n studio logs -l app.kubernetes.io/component=weights,app.kubernetes.io/instance=atelier"
    lines = gone.stdout.splitlines()
    assert ["0", "60", "120"] == [re.findall(r"since (\d+) s", line)[0] for line in lines]
    assert all("flux2-klein-4b, birefnet-general" in line and line.endswith(logs) for line in lines)
    assert gone.stderr.startswith("gave up after 130 s")
    assert 1 == gone.returncode
    mark = re.search(r"/weights/(\.complete-[0-9a-f]{10})", init["command"][2])
    assert mark is not None
    (tmp_path / mark[1]).touch()
    assert (0, "") == (run_script(init["command"][2], tmp_path).returncode, gone.stderr[:0])


def test_a_worker_fills_a_volume_of_its_own_once(tmp_path, monkeypatch):
    workers = manifest("weights of each worker", "StatefulSet", "atelier-gpu-default")["spec"]
    claims = {one["metadata"]["name"]: one["spec"] for one in workers["volumeClaimTemplates"]}
    assert ["ReadWriteOnce"] == claims["weights"]["accessModes"] == claims["cache"]["accessModes"]
    assert ("block", "80Gi") == (
        claims["weights"]["storageClassName"],
        claims["weights"]["resources"]["requests"]["storage"],
    )
    assert [] == manifests("weights of each worker", "PersistentVolumeClaim")
    (init,) = workers["template"]["spec"]["initContainers"]
    mounts = {one["mountPath"]: one.get("readOnly", False) for one in init["volumeMounts"]}
    assert mounts["/weights"] is False
    worker = {one["mountPath"]: one for one in containers(workers["template"])[-1]["volumeMounts"]}
    assert worker["/weights"]["readOnly"] is True

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "atelier").write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexit $(cat {tmp_path}/ends)\n'
    )
    (tmp_path / "bin" / "atelier").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    (tmp_path / "volume").mkdir()
    words = init["command"][3:]
    (tmp_path / "ends").write_text("1")
    failed = run_script(init["command"][2], tmp_path / "volume", *words)
    assert (1, []) == (failed.returncode, list((tmp_path / "volume").iterdir()))
    assert failed.stderr.startswith("gave up")
    (tmp_path / "ends").write_text("0")
    filled = run_script(init["command"][2], tmp_path / "volume", *words)
    assert (0, "") == (filled.returncode, filled.stderr)
    again = run_script(init["command"][2], tmp_path / "volume", *words)
    assert "here already: flux2-klein-4b, sdxl" == again.stdout.strip()
    assert 2 * ["weights fetch flux2-klein-4b sdxl"] == (tmp_path / "asked").read_text().splitlines()


def test_filling_ends_at_its_deadline(tmp_path, monkeypatch):
    given = over(values("weights of each worker"), {"weights": {"deadlineSeconds": 1}})
    (workers,) = (one for one in render(given) if one["kind"] == "StatefulSet")
    (init,) = workers["spec"]["template"]["spec"]["initContainers"]
    (tmp_path / "atelier").write_text("#!/bin/sh\nexec sleep 30\n")
    (tmp_path / "atelier").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "gave up" in run_script(init["command"][2], tmp_path, *init["command"][3:]).stderr


def test_demo_models_need_no_volume():
    (workers,) = manifests("least", "StatefulSet")
    (volume,) = (one for one in workers["spec"]["template"]["spec"]["volumes"] if one["name"] == "weights")
    assert "emptyDir" in volume
    assert [] == manifests("least", "PersistentVolumeClaim")


def test_the_doctor_comes_before_a_release_and_in_its_test():
    case = "catalog, keys and authorities"
    before = manifest(case, "Job", "atelier-doctor")
    hooks = before["metadata"]["annotations"]
    assert "pre-install,pre-upgrade" == hooks["helm.sh/hook"]
    assert int(hooks["helm.sh/hook-weight"]) < 0, "before the migrations"
    spec = before["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec
    made = {one["metadata"]["name"] for one in manifests(case, "ConfigMap")}
    assert not made & {volume.get("configMap", {}).get("name") for volume in spec["volumes"]}
    asked = containers(before["spec"]["template"])[0]["args"][2::2]
    assert ["secret", "database", "clock", "broker", "store"] == asked
    of_the_test = manifest(case, "Job", "atelier-test")
    assert "test" == of_the_test["metadata"]["annotations"]["helm.sh/hook"]
    container = containers(of_the_test["spec"]["template"])[0]
    assert {"schema", "api"} < set(container["args"])
    assert "http://atelier-api:80" == environment(container)["ATELIER_PUBLIC_URL"]
    with_role = [one["metadata"]["name"] for one in manifests("a role of AWS", "Job")]
    assert ["atelier-migrations", "atelier-test"] == sorted(with_role)


def test_a_doctor_starts_without_the_secrets_that_it_misses():
    template = manifest("least", "Job", "atelier-doctor")["spec"]["template"]
    (volume,) = (one for one in template["spec"]["volumes"] if one["name"] == "secrets")
    assert {True} == {source["secret"]["optional"] for source in volume["projected"]["sources"]}
    keys = [one["valueFrom"]["secretKeyRef"] for one in containers(template)[0]["env"] if "valueFrom" in one]
    assert [True, True] == [key["optional"] for key in keys]


def test_migrations_may_have_the_role_that_owns_the_tables():
    def url_of(case):
        (volume,) = (
            one
            for one in manifest(case, "Job", "atelier-migrations")["spec"]["template"]["spec"]["volumes"]
            if one["name"] == "secrets"
        )
        return volume["secret"]["secretName"], volume["secret"]["items"][0]["key"]

    assert ("database", "owner") == url_of("catalog, keys and authorities")
    assert ("atelier", "database-url") == url_of("least")


@pytest.mark.parametrize("case", ["weights on every node", "weights of one's own", "least"])
def test_nobody_waits_for_weights_that_no_job_brings(case):
    assert [] == [one for one in manifests(case, "Job") if "weights" in one["metadata"]["name"]]
    (workers,) = manifests(case, "StatefulSet")
    assert "initContainers" not in workers["spec"]["template"]["spec"]


def test_a_folder_of_the_nodes_is_claimed_like_any_volume():
    (volume,) = manifests("weights on every node", "PersistentVolume")
    (claim,) = manifests("weights on every node", "PersistentVolumeClaim")
    assert {"path": "/srv/atelier/weights", "type": "Directory"} == volume["spec"]["hostPath"]
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert {"namespace": "studio", "name": claim["metadata"]["name"]} == volume["spec"]["claimRef"]
    assert "" == claim["spec"]["storageClassName"] == volume["spec"]["storageClassName"]


def test_a_catalogue_of_ones_own_is_mounted_as_it_was_given():
    case = "catalog, keys and authorities"
    data = manifest(case, "ConfigMap", "atelier-catalogue")["data"]
    assert '[[model]]\nid = "mine"\n' == data["models.toml"]
    assert '{\n  "models": {}\n}\n' == data["weights.lock"]
    given = environment(containers(manifest(case, "Deployment", "atelier-api")["spec"]["template"])[0])
    assert "/etc/atelier/catalogue/models.toml" == given["ATELIER_CATALOG"]  # codespell:ignore
    assert "/etc/atelier/ca/all.pem" == given["ATELIER_CA_BUNDLE"]


def test_accounts_carry_the_roles_of_the_cloud():
    accounts = {
        one["metadata"]["name"]: one["metadata"].get("annotations") for one in manifests("a cloud", "ServiceAccount")
    }
    assert {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"} == accounts["studio-media-api"]
    workers = manifest("a cloud", "StatefulSet", "studio-media-gpu-default")["spec"]["template"]["spec"]
    assert "made-by-terraform" == workers["serviceAccountName"]
