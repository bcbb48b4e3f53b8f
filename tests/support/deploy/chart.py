"""The chart, rendered by Helm's own code (a wheel carries it), and the values that the tests render it with."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import helm_python
import msgspec
import yaml

from tests.support.paths import ROOT

CHART = ROOT / "helm"
Values = dict[str, Any]
Manifest = dict[str, Any]

LEAST: Values = {
    "publicUrl": "https://media.example.com",
    "storage": {"url": "s3://media?endpoint=https://s3.example.com", "credentials": {"secret": "bucket"}},
}
"""All that has to be said."""

OFF: Values = {"enabled": False}
ON: Values = {"enabled": True}
DATABASE: Values = {"port": 6432, "to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}]}
BROKER: Values = {"port": 6380, "to": [{"namespaceSelector": {"matchLabels": {"team": "valkey"}}}]}
STORAGE: Values = {"port": 9000, "to": [{"ipBlock": {"cidr": "10.9.0.0/16", "except": ["10.9.9.0/24"]}}]}
PROMETHEUS: Values = {"namespaceSelector": {"matchExpressions": [{"key": "metrics", "operator": "Exists"}]}}
STS: Values = {"to": [{"ipBlock": {"cidr": "52.1.1.1/32"}}], "ports": [{"port": 443, "protocol": "TCP"}]}
GPU_NODE: Values = {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 60}

MATRIX: dict[str, Values] = {
    "least": {},
    "everything off": {
        "api": {"autoscaling": OFF, "disruptionBudget": OFF, "replicas": 1},
        "cpuWorker": {"disruptionBudget": OFF, "replicas": 1},
        "gpu": {"defaults": {"disruptionBudget": OFF}},
        "migrations": OFF,
        "networkPolicy": OFF,
        "serviceAccounts": {"create": False},
    },
    "no GPU": {"gpu": {"pools": {"default": None}}},
    "demo models on the CPU": {"gpu": {"defaults": {"gpuResource": "", "tolerations": []}}},
    "ingress": {
        "ingress": {"enabled": True, "className": "nginx", "host": "media.example.com", "tlsSecret": "media-tls"},
        "service": {"type": "LoadBalancer", "annotations": {"example.com/lb": "internal"}},
    },
    "ingress of another kind": {"ingress": {"enabled": True, "annotations": None, "host": "media.example.com"}},
    "pools": {
        "gpu": {
            "pools": {
                "default": {
                    "models": ["flux2-klein-4b", "z-image-turbo"],
                    "preload": ["flux2-klein-4b"],
                    "compileCache": {"size": "20Gi", "storageClass": "fast"},
                    "autoscaling": {"kind": "keda", "max": 12},
                },
                "films": {"models": ["wan2.2-ti2v-5b"], "longestJobSeconds": 1800, "autoscaling": {"kind": "hpa"}},
                "small": {"gpuResource": "nvidia.com/mig-3g.40gb", "autoscaling": {"kind": "keda", "min": 0}},
                "studio": {
                    "dedicated": True,
                    "replicas": 0,
                    "autoscaling": {"kind": "keda"},
                    "runtimeClassName": "nvidia",
                },
                "any": {"autoscaling": {"kind": "hpa"}, "compileCache": {"size": "5Gi"}},
            }
        }
    },
    "weights that a Job fetches": {
        "weights": {
            "volume": "shared",
            "models": ["flux2-klein-4b", "birefnet-general"],
            "storageClass": "shared",
            "env": [
                {"name": "HF_ENDPOINT", "value": "https://hub.example.com"},
                {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token", "optional": True}}},
                {"name": "HTTPS_PROXY", "valueFrom": {"configMapKeyRef": {"name": "proxy", "key": "url"}}},
            ],
        }
    },
    "weights of each worker": {
        "weights": {"models": ["flux2-klein-4b", "sdxl"], "storageClass": "block", "size": "80Gi"},
        "gpu": {"pools": {"default": {"compileCache": {"size": "20Gi"}}}},
    },
    "weights of each worker, carried in": {"weights": {"models": ["sdxl"], "importClaim": "carried"}},
    "weights that were carried in": {
        "weights": {"models": ["sdxl"], "importClaim": "carried", "existingClaim": "weights"},
    },
    "weights on every node": {"weights": {"models": ["sdxl"], "hostPath": "/srv/atelier/weights"}},
    "weights of one's own": {"weights": {"existingClaim": "weights"}},
    "catalog, keys and authorities": {
        "catalogue": {  # codespell:ignore
            "models": '[[model]]\nid = "mine"\n',
            "lock": '{\n  "models": {}\n}\n',
        },
        "caBundle": {"configMap": "authorities", "key": "all.pem"},
        "storage": {"credentials": {"secret": "bucket", "accessKey": "id", "secretKey": "key"}},
        "secrets": {"databaseUrl": {"name": "database", "key": "url"}, "secretKey": {"name": "signing", "key": "key"}},
        "migrations": {"databaseUrl": {"name": "database", "key": "owner"}},
    },
    "a role of AWS": {
        "storage": {"url": "s3://media?region=eu-central-1", "credentials": {"secret": ""}},
        "serviceAccounts": {
            "api": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"}},
            "cpuWorker": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"}},
            "gpuWorker": {"name": "made-by-terraform"},
        },
        "doctor": {"beforeRelease": False},
    },
    "keys from elsewhere": {"storage": {"credentials": {"secret": "", "ambient": True}}},
    "a cloud": {
        "fullnameOverride": "studio-media",
        "serviceAccounts": {
            "api": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/media"}},
            "gpuWorker": {"name": "made-by-terraform"},
        },
        "image": {
            "pullPolicy": "Always",
            "pullSecrets": ["registry"],
            "api": {"repository": "registry.example.com/atelier-api", "digest": f"sha256:{'ab' * 32}"},
            "gpu": {"repository": "registry.example.com/atelier-gpu", "tag": "1.2.3"},
        },
        "api": {"nodeSelector": {"pool": "web"}, "tolerations": [GPU_NODE], "priorityClassName": "high"},
        "cpuWorker": {"autoscaling": ON, "podAnnotations": {"example.com/note": "yes"}},
        "gpu": {"defaults": {"nodeSelector": {"gpu": "h100"}, "tolerations": [GPU_NODE], "priorityClassName": "high"}},
        "networkPolicy": {"extraEgress": {"api": [STS], "cpuWorker": [STS], "gpuWorker": [STS]}},
    },
    "settings": {
        "settings": {"lease_seconds": 45, "development": True, "allowed_licenses": "Apache-2.0, MIT"},
        "api": {"settings": {"db_pool": 20}},
        "cpuWorker": {"settings": {"lease_seconds": 12.5, "allowed_networks": "10.0.0.0/8"}},
        "gpu": {"pools": {"default": {"settings": {"vram_budget": 70_000_000_000, "development": False}}}},
    },
    "closed networks": {
        "networkPolicy": {
            "database": DATABASE,
            "broker": BROKER,
            "storage": STORAGE,
            "dns": [{"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}, "namespaceSelector": {}}],
            "apiFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}],
            "metricsFrom": [PROMETHEUS],
        }
    },
    "watched": {
        "monitoring": {
            "port": 9100,
            "monitors": {"enabled": True, "interval": "15s", "labels": {"release": "prometheus"}},
            "rules": {"enabled": True, "labels": {"release": "prometheus"}},
            "dashboard": {"enabled": True, "labels": {"grafana_dashboard": "1", "folder": "studio"}},
        }
    },
}
"""Every switch on and off at least once; each on top of `LEAST`."""


EXAMPLES = ("eks", "gke", "on-prem")
"""Cases that are files of `helm/examples`, as they are."""


def values(case: str) -> Values:
    """The values of one case of the matrix, as a person would write them, or of an example."""
    if case in EXAMPLES:
        found: Values = yaml.load((CHART / "examples" / f"{case}.yaml").read_text(), yaml.CSafeLoader)
        return found
    return over(LEAST, MATRIX[case])


def over(base: Values, more: Values) -> Values:
    """`base` with `more` on top, as Helm lays values on top of each other."""
    merged = copy.deepcopy(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = over(merged[key], value) if both else copy.deepcopy(value)
    return merged


@cache
def chart() -> helm_python.Chart:
    """The chart as it is in the checkout."""
    return helm_python.Chart.load(CHART)


def render(given: Values, **options: Any) -> list[Manifest]:
    """Every manifest, in the namespace `studio`; raises `helm_python.HelmError`."""
    texts = chart().render(given, name="atelier", namespace="studio", **options)
    read = (yaml.load_all(text, yaml.CSafeLoader) for name, text in texts.items() if not name.endswith(".txt"))
    return [manifest for manifests in read for manifest in manifests if manifest]


@cache
def _rendered(case: str) -> bytes:
    return msgspec.json.encode(render(values(case)))


def manifests(case: str, *kinds: str) -> list[Manifest]:
    """The manifests of one case, of these kinds or of all."""
    every = msgspec.json.decode(_rendered(case), type=list[Manifest])
    return [one for one in every if not kinds or one["kind"] in kinds]


def manifest(case: str, kind: str, name: str) -> Manifest:
    """One of them."""
    (found,) = (one for one in manifests(case, kind) if one["metadata"]["name"] == name)
    return found


def pod_templates(case: str) -> Iterator[tuple[str, Manifest]]:
    """Each pod's component and template."""
    for one in manifests(case, "Deployment", "StatefulSet", "Job"):
        template = one["spec"]["template"]
        yield template["metadata"]["labels"]["app.kubernetes.io/component"], template


def containers(template: Manifest) -> list[Manifest]:
    """All of a pod, those that only prepare it too."""
    return [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


def environment(container: Manifest) -> dict[str, str | None]:
    """Its variables; None for one that comes from elsewhere."""
    return {one["name"]: one.get("value") for one in container.get("env", ())}
