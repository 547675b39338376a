"""The policy of `deploy/k8s/policy`, evaluated as an API server does: by its CEL and its JSONPatch.

The CEL is evaluated by cel-python, the patch applied by jsonpatch. What cel-python does not know:
`Object.a.b{…}` are plain mappings here, and `jsonpatch.escapeKey` is a function of that name.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import celpy
import jsonpatch
import yaml
from celpy import celtypes
from celpy.adapter import CELJSONEncoder, json_to_cel
from celpy.evaluation import CELEvalError

from tests.kubernetes.shipped import K8S

Json = dict[str, Any]

POLICY, *BINDINGS = (
    document
    for name in ("policy.yaml", "bindings.yaml")
    for document in yaml.safe_load_all((K8S / "policy" / "v1" / name).read_text())
)


class Refused(Exception):
    """The policy's `failurePolicy: Fail`: no pod."""


def escape_key(text: celtypes.Value) -> celtypes.StringType:
    return celtypes.StringType(str(text).replace("~", "~0").replace("/", "~1"))


@cache
def program(expression: str) -> celpy.Runner:
    plain = re.sub(r"\bObject(\.\w+)*\{", "Object{", expression)
    plain = plain.replace("jsonpatch.escapeKey(", "escapeKey(")
    types = dict.fromkeys(("Object", "JSONPatch"), celtypes.MessageType)
    environment = celpy.Environment(annotations=dict(types))
    return environment.program(environment.compile(plain), functions={"escapeKey": escape_key})


def evaluated(expression: str, scope: Mapping[str, Any]) -> Any:
    context = {name: json_to_cel(value) for name, value in scope.items()}
    try:
        return program(expression).evaluate(context)
    except CELEvalError as error:
        raise Refused(str(error)) from error


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, cls=CELJSONEncoder))


def admitted(pod: Json, params: Json) -> Json:
    """The pod that is stored; raises `Refused` where there is none."""
    scope: Json = {"object": pod, "params": params, "variables": {}}
    spec = POLICY["spec"]
    if not all(evaluated(one["expression"], scope) for one in spec["matchConditions"]):
        return pod
    for variable in spec["variables"]:
        scope["variables"][variable["name"]] = plain(evaluated(variable["expression"], scope))
    (mutation,) = spec["mutations"]
    operations = plain(evaluated(mutation["jsonPatch"]["expression"], scope))
    return dict(jsonpatch.apply_patch(copy.deepcopy(pod), operations))


def selected(labels: Mapping[str, str], selector: Json) -> bool:
    """Whether a selector of Kubernetes takes what has these labels."""
    wanted = selector.get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        meets(labels, one) for one in selector.get("matchExpressions", [])
    )


def meets(labels: Mapping[str, str], expression: Json) -> bool:
    there, values = labels.get(expression["key"]), expression.get("values", [])
    match expression["operator"]:
        case "In":
            return there in values
        case "NotIn":
            return there not in values
        case "Exists":
            return there is not None
        case "DoesNotExist":
            return there is None
    raise ValueError(expression["operator"])


def takes(rules: list[Json], namespace: Mapping[str, str], pod: Json) -> bool:
    """Whether one of the pairs of selectors takes a pod of a namespace with these labels."""
    labels = pod.get("metadata", {}).get("labels", {})
    return any(
        selected(namespace, one["namespaceSelector"]) and selected(labels, one["objectSelector"])
        for one in rules
    )
