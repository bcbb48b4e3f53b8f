"""Schemas of the custom resources that the chart makes: of the fields that it uses, and of no others.

After the definitions of KEDA (keda.sh/v1alpha1) and of the Prometheus operator (monitoring.coreos.com/v1), which no
package carries.
"""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "integer", "minimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION: Schema = {"type": "string", "pattern": "^[0-9]+(s|m|h)$"}


def closed(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """An object that must have the former keys, may have the latter, and no others."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def many(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1}


def resource(api_version: str, kind: str, spec: Schema) -> Schema:
    metadata = closed({"name": TEXT, "labels": TEXTS})
    return closed({"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


LABELS = closed(
    {"matchLabels": TEXTS}, {"matchExpressions": many(closed({"key": TEXT, "operator": TEXT, "values": many(TEXT)}))}
)
ENDPOINT = closed({"port": TEXT, "path": {"type": "string", "pattern": "^/"}, "interval": DURATION})
TRIGGER = closed(
    {
        "type": {"const": "postgresql"},
        "metricType": {"enum": ["AverageValue", "Value"]},
        "authenticationRef": closed({"name": TEXT}),
        "metadata": closed({"query": TEXT, "targetQueryValue": {"type": "string", "pattern": "^[0-9]+$"}}),
    }
)
RULE = closed({"alert": TEXT, "expr": TEXT, "labels": TEXTS, "annotations": TEXTS}, {"for": DURATION})
BEHAVIOR = closed({"behavior": closed({"scaleDown": closed({"stabilizationWindowSeconds": NUMBER})})})

SCHEMAS: dict[str, Schema] = {
    "ScaledObject": resource(
        "keda.sh/v1alpha1",
        "ScaledObject",
        closed(
            {
                "scaleTargetRef": closed({"apiVersion": TEXT, "kind": TEXT, "name": TEXT}),
                "minReplicaCount": NUMBER,
                "maxReplicaCount": NUMBER,
                "pollingInterval": NUMBER,
                "cooldownPeriod": NUMBER,
                "triggers": many(TRIGGER),
            },
            {"advanced": closed({"horizontalPodAutoscalerConfig": BEHAVIOR})},
        ),
    ),
    "TriggerAuthentication": resource(
        "keda.sh/v1alpha1",
        "TriggerAuthentication",
        closed({"secretTargetRef": many(closed({"parameter": {"const": "connection"}, "name": TEXT, "key": TEXT}))}),
    ),
    "ServiceMonitor": resource(
        "monitoring.coreos.com/v1", "ServiceMonitor", closed({"selector": LABELS, "endpoints": many(ENDPOINT)})
    ),
    "PodMonitor": resource(
        "monitoring.coreos.com/v1", "PodMonitor", closed({"selector": LABELS, "podMetricsEndpoints": many(ENDPOINT)})
    ),
    "PrometheusRule": resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        closed({"groups": many(closed({"name": TEXT, "rules": many(RULE)}))}),
    ),
}
