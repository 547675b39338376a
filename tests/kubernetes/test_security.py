"""The rules of "restricted" find what breaks them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.kubernetes.pods import app
from tests.kubernetes.security import violations

Json = dict[str, Any]


def broken(path: str, value: Any) -> Json:
    spec: Json = copy.deepcopy({"containers": [app()], "volumes": []})
    *way, last = path.split(".")
    place: Any = spec
    for step in way:
        place = place[int(step)] if step.isdecimal() else place.setdefault(step, {})
    place[last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hostPID", True),
        ("securityContext.runAsUser", 0),
        ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
        ("volumes", [{"name": "root", "hostPath": {"path": "/"}}]),
        ("containers.0.securityContext.privileged", True),
        ("containers.0.securityContext.allowPrivilegeEscalation", None),
        ("containers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}),
        ("containers.0.securityContext.capabilities.add", ["SYS_TIME"]),
        ("containers.0.securityContext.runAsNonRoot", None),
        ("containers.0.securityContext.seccompProfile", {"type": "Unconfined"}),
        ("containers.0.ports", [{"containerPort": 1, "hostPort": 1}]),
        ("containers.0.livenessProbe", {"httpGet": {"host": "elsewhere", "port": 1}}),
    ],
)
def test_what_is_forbidden_is_found(path: str, value: Any) -> None:
    assert len(list(violations(broken(path, value)))) == 1


def test_what_is_allowed_is_not() -> None:
    assert list(violations({"containers": [app()]})) == []
