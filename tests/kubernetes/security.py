"""The rules of Pod Security's level "restricted", as data: every path, and what may stand there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Allowed = Callable[[Any], bool]

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}
SYSCTLS = {
    *("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies"),
    *("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"),
}
PROFILES = ("RuntimeDefault", "Localhost")


def unset(value: Any) -> bool:
    return not value


def among(*allowed: Any) -> Allowed:
    return lambda value: value in allowed


def only(allowed: set[str]) -> Allowed:
    return lambda values: all(one in allowed for one in values or [])


POD_RULES: dict[str, Allowed] = {
    "hostNetwork": unset,
    "hostPID": unset,
    "hostIPC": unset,
    "securityContext.windowsOptions.hostProcess": unset,
    "securityContext.runAsUser": lambda user: user != 0,
    "securityContext.runAsNonRoot": among(None, True),
    "securityContext.seccompProfile.type": among(None, *PROFILES),
    "securityContext.sysctls": lambda found: only(SYSCTLS)([one["name"] for one in found or []]),
}
CONTAINER_RULES: dict[str, Allowed] = {
    "securityContext.privileged": unset,
    "securityContext.allowPrivilegeEscalation": among(False),
    "securityContext.capabilities.drop": lambda dropped: "ALL" in (dropped or []),
    "securityContext.capabilities.add": only({"NET_BIND_SERVICE"}),
    "securityContext.runAsUser": lambda user: user != 0,
    "securityContext.procMount": among(None, "Default"),
    "securityContext.seLinuxOptions.user": unset,
    "securityContext.seLinuxOptions.role": unset,
    "securityContext.windowsOptions.hostProcess": unset,
}
# a container may leave these to the pod
EITHER_RULES: dict[str, Allowed] = {
    "securityContext.runAsNonRoot": among(True),
    "securityContext.seccompProfile.type": among(*PROFILES),
}


def at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = (value or {}).get(step)
    return value


def violations(spec: Json) -> Iterator[str]:
    """What of a pod's specification "restricted" forbids."""
    for path, allowed in POD_RULES.items():
        if not allowed(at(spec, path)):
            yield path
    for volume in spec.get("volumes", []):
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"volumes: {volume['name']}"
    for container in (*spec["containers"], *spec.get("initContainers", [])):
        yield from (f"{container['name']}: {one}" for one in of_container(container, spec))


def of_container(container: Json, spec: Json) -> Iterator[str]:
    yield from (path for path, allows in CONTAINER_RULES.items() if not allows(at(container, path)))
    for path, allowed in EITHER_RULES.items():
        own = at(container, path)
        if not allowed(at(spec, path) if own is None else own):
            yield path
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "ports: hostPort"
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        if at(container, f"{kind}.httpGet.host") or at(container, f"{kind}.tcpSocket.host"):
            yield f"{kind}: host"
