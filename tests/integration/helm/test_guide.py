"""docs/kubernetes.md, helm/README.md and the examples: what they print is what the chart does."""

import re
import shlex

import helm_python
import pytest
import yaml

from scripts.chart_values import chart_values, page
from tests.support.deploy.chart import (
    CHART,
    EXAMPLES,
    containers,
    environment,
    manifest,
    manifests,
    over,
    pod_templates,
    render,
    values,
)
from tests.support.paths import ROOT

GUIDE = ROOT / "docs" / "kubernetes.md"
FENCE = re.compile(r"^```(?:bash)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODELS = {"flux2-klein-4b", "wan2.2-ti2v-5b"}


def commands(name):
    """The words of each command of the guide's fenced blocks that begins with this name."""
    text = "\n".join(FENCE.findall(GUIDE.read_text())).replace("\\\n", " ")
    return [words for words in (shlex.split(line) for line in text.splitlines()) if words[:1] == [name]]


def options(words, name):
    return [words[number + 1] for number, word in enumerate(words) if word == name]


def installed(words):
    """The manifests that a `helm install` or `upgrade` makes."""
    return render(given_by(words))


def given_by(words):
    """The values of a `helm install` or `upgrade`; `--reuse-values` begins with those of the guide's install."""
    given = given_by(install()) if "--reuse-values" in words else {}
    for file in options(words, "-f"):
        given = over(given, yaml.safe_load((ROOT / file).read_text()))
    for assignment in options(words, "--set"):
        given = over(given, helm_python.parse_set_string(assignment))
    return given


def install():
    (words,) = (words for words in commands("helm") if "install" in words)
    return words


def test_helm_install_as_printed_makes_what_the_guide_says():
    made = installed(install())
    kinds = {(one["kind"], one["metadata"]["name"]) for one in made}
    assert {("Job", "atelier-doctor"), ("Job", "atelier-migrations"), ("Deployment", "atelier-api")} <= kinds
    (workers,) = (one for one in made if one["kind"] == "StatefulSet")
    (init,) = workers["spec"]["template"]["spec"]["initContainers"]
    assert "atelier-gpu-default" == workers["metadata"]["name"]
    assert "fetch-weights" == init["name"]
    secrets = {
        one["valueFrom"]["secretKeyRef"]["name"]
        for one in containers(workers["spec"]["template"])[1]["env"]
        if "secretKeyRef" in one.get("valueFrom", {})
    }
    created = {words[words.index("generic") + 1] for words in commands("kubectl") if "generic" in words}
    assert created == secrets | {"atelier"}


def test_every_upgrade_of_the_guide_renders():
    upgrades = [words for words in commands("helm") if "upgrade" in words]
    assert upgrades
    for words in upgrades:
        assert installed(words)


def test_the_guide_lets_clients_in_at_the_public_url():
    (upgrade,) = (words for words in commands("helm") if "--reuse-values" in words)
    (ingress,) = (one for one in installed(upgrade) if one["kind"] == "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert f"https://{rule['host']}" == given_by(install())["publicUrl"]
    (secret,) = (words[words.index("tls") + 1] for words in commands("kubectl") if "tls" in words)
    assert [secret] == [one["secretName"] for one in ingress["spec"]["tls"]]


def test_images_of_the_guide_are_those_that_are_pushed():
    page = (ROOT / "docs" / "containers.md").read_text()
    pushed = set(re.findall(r"^docker push (\S+)$", page, re.MULTILINE))
    image = given_by(install())["image"]
    assert pushed == {f"{image[name]['repository']}:{image[name]['tag']}" for name in ("api", "gpu")}


def test_what_the_guide_names_exists():
    named = {word for words in commands("kubectl") for word in words if re.match(r"(deploy|svc|job)/", word)}
    kinds = {"deploy": "Deployment", "svc": "Service", "job": "Job"}
    assert named
    for kind, name in (word.split("/") for word in named):
        assert manifest("least", kinds[kind], name)
    keys = {word for words in commands("kubectl") for word in words if word.startswith("--from-literal=")}
    assert {"database-url", "broker-url", "secret-key", "access-key"} == {
        word.removeprefix("--from-literal=").partition("=")[0] for word in keys
    }


@pytest.mark.parametrize("case", EXAMPLES)
def test_an_example_names_its_store_its_keys_and_its_models(case):
    given = values(case)
    assert set(given["weights"]["models"]) <= MODELS
    assert {"database", "broker", "apiFrom"} <= set(given["networkPolicy"])
    of_store = {
        component: environment(containers(template)[-1])
        for component, template in pod_templates(case)
        if component in ("api", "cpu-worker", "gpu-worker")
    }
    assert 3 == len(of_store)
    for variables in of_store.values():
        assert given["storage"]["url"] == variables["ATELIER_STORAGE_URL"]
        assert ("AWS_ACCESS_KEY_ID" in variables) == (case != "eks")
    if case == "eks":
        accounts = {
            one["metadata"]["name"]: one["metadata"].get("annotations", {}) for one in manifests(case, "ServiceAccount")
        }
        with_role = {name for name, notes in accounts.items() if "eks.amazonaws.com/role-arn" in notes}
        assert {"atelier-api", "atelier-cpu-worker", "atelier-gpu-worker"} == with_role


def test_an_ingress_of_another_kind_keeps_no_note_of_nginx():
    (ingress,) = manifests("eks", "Ingress")
    assert {"alb.ingress.kubernetes.io"} == {name.partition("/")[0] for name in ingress["metadata"]["annotations"]}


def test_the_table_of_values_is_up_to_date():
    assert page(chart_values()) == (CHART / "README.md").read_text(), "run python -m scripts.chart_values"


def test_every_value_says_what_it_is_for():
    rows = [row for _, _, rows in chart_values().sections() for row in rows]
    assert len(rows) > 90
    assert [] == [row.path for row in rows if not row.meaning]
