"""The chart under Helm's own code: it renders, it lints, and every manifest is one that Kubernetes takes."""

from collections import Counter
from functools import cache

import helm_python
import jsonschema
import kubernetes_validate.utils as kubernetes
import msgspec
import pytest

from tests.support.deploy.chart import CHART, EXAMPLES, LEAST, MATRIX, chart, manifest, manifests, over, render, values
from tests.support.deploy.custom_resources import SCHEMAS

VERSIONS = ("1.30", "1.34", "1.37")
"""The oldest that Chart.yaml takes, the newest, and one between."""

CLUSTER_WIDE = {"PersistentVolume"}


@pytest.fixture(scope="module", autouse=True)
def schemas_are_read_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kubernetes, "schema_contents", cache(kubernetes.schema_contents))
        yield


@cache
def complaint(version: str, encoded: bytes) -> str:
    """What is wrong with a manifest, if anything; many are the same in several cases."""
    decoded = msgspec.json.decode(encoded)
    try:
        if decoded["kind"] in SCHEMAS:
            jsonschema.validate(decoded, SCHEMAS[decoded["kind"]])
        else:
            kubernetes.validate(decoded, version, strict=True)
    except jsonschema.ValidationError as error:
        return f"{decoded['kind']} {decoded['metadata']['name']}: {error.json_path}: {error.message}"
    return ""


@pytest.mark.matrix
@pytest.mark.parametrize("case", [*MATRIX, *EXAMPLES])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(case, version):
    found = [complaint(version, msgspec.json.encode(one)) for one in manifests(case)]
    assert len(found) > 5
    assert [] == list(filter(None, found))


def test_the_check_sees_what_is_wrong():
    broken = manifest("least", "Deployment", "atelier-api")
    broken["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    assert "imagePulPolicy" in complaint(VERSIONS[0], msgspec.json.encode(broken))
    scaled = manifest("pools", "ScaledObject", "atelier-gpu-default")
    scaled["spec"]["maxReplicas"] = 3
    assert "maxReplicas" in complaint(VERSIONS[0], msgspec.json.encode(scaled))


@pytest.mark.parametrize("case", [*MATRIX, *EXAMPLES])
def test_helm_lints_it_without_a_warning(case):
    oldest = f"v{VERSIONS[0]}.0"
    report = helm_python.lint(CHART, values(case), strict=True, namespace="studio", kube_version=oldest)
    assert [] == report["errors"]
    assert [] == [one for one in report["messages"] if one["severity"] > 1]


@pytest.mark.matrix
@pytest.mark.parametrize("case", MATRIX)
def test_no_two_manifests_have_one_name(case):
    names = Counter((one["kind"], one["metadata"]["name"]) for one in manifests(case))
    assert [] == [name for name, number in names.items() if number > 1]


@pytest.mark.parametrize("case", MATRIX)
def test_names_fit_and_labels_say_whose_they_are(case):
    for one in manifests(case):
        assert len(one["metadata"]["name"]) <= 52 or one["kind"] in CLUSTER_WIDE, one["metadata"]["name"]
        assert "atelier" == one["metadata"]["labels"]["app.kubernetes.io/name"]


def test_an_upgrade_renders_the_same():
    assert manifests("pools") == render(values("pools"), is_upgrade=True, is_install=False, revision=2)


def test_selectors_do_not_change_with_the_version():
    """They are immutable: an upgrade that changed them would be refused."""
    for one in manifests("pools", "Deployment", "StatefulSet"):
        selector = one["spec"]["selector"]["matchLabels"]
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(selector)
        assert selector.items() <= one["spec"]["template"]["metadata"]["labels"].items()


def test_a_release_of_another_name_is_called_so():
    texts = chart().render(LEAST, name="blue", namespace="studio")
    assert "name: blue-atelier-api\n" in texts["atelier/templates/api.yaml"]
    long = chart().render(LEAST, name="a-release-with-a-name-of-fifty-three-letters-in-total", namespace="studio")
    assert "name: a-release-with-a-name-of-fifty-three-gpu-default\n" in long["atelier/templates/gpu-workers.yaml"]


@pytest.mark.parametrize("missing", ["publicUrl", "storage"])
def test_what_has_to_be_said_is_asked_for(missing):
    said = {name: value for name, value in LEAST.items() if name != missing}
    with pytest.raises(helm_python.HelmError, match=missing):
        render(said)


def test_the_notes_tell_what_to_do_next():
    notes = chart().render(over(LEAST, {}), name="atelier", namespace="studio")["atelier/templates/NOTES.txt"]
    assert "kubectl -n studio exec deploy/atelier-api -- atelier keys create" in notes
    assert "port-forward svc/atelier-api 8000:80" in notes
