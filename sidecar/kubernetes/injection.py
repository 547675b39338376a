"""The sidecar beside a pod's containers: what is added, as one JSONPatch (RFC 6902).

`container` is the one description of it. The policy and the kustomize component in `deploy/k8s`
say the same in their own languages, and tests compare the pods that come out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from sidecar.kubernetes.shapes import Pod, all_containers, check

NAME = "llm-failover"
VOLUME = "llm-failover-config"
INJECT = "llm-failover.dev/inject"
INJECTED = "llm-failover.dev/injected"
NO = ("false", "disabled")
CONFIG_DIR = "/etc/sidecar"
PORT, ADMIN_PORT = 8787, 9464
DUMMY_KEY = "unused-by-sidecar"
USER = 65532
PORTS = range(1, 65536)


class Operation(TypedDict):
    """One operation of a JSONPatch; only `add` is needed."""

    op: Literal["add"]
    path: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """What may differ from one namespace to the next: the parameters of the policy."""

    image: str
    port: int = PORT
    config_map: str = "llm-failover"
    secret: str = "llm-failover-keys"  # noqa: S105  the name of one
    openai_api_base: bool = False
    anthropic_base_url: bool = False
    dummy_api_key: bool = False

    def __post_init__(self) -> None:
        if not self.image:
            raise ValueError("image: must be the name of an image, got nothing")
        if self.port not in PORTS or self.port == ADMIN_PORT:
            raise ValueError(f"port: must be from 1 to 65535 and not {ADMIN_PORT}, got {self.port}")

    @property
    def variables(self) -> dict[str, str]:
        """What applications are told, where they do not say it themselves."""
        left_out = {
            "OPENAI_API_BASE": not self.openai_api_base,
            "ANTHROPIC_BASE_URL": not self.anthropic_base_url,
            "OPENAI_API_KEY": not self.dummy_api_key,
        }
        return {name: text for name, text in told(self.port).items() if not left_out.get(name)}


def told(port: int) -> dict[str, str]:
    """Every variable that can point an application to a sidecar on `port`."""
    origin = f"http://127.0.0.1:{port}"
    return {
        "OPENAI_BASE_URL": f"{origin}/v1",
        "OPENAI_API_BASE": f"{origin}/v1",
        "ANTHROPIC_BASE_URL": origin,
        "OPENAI_API_KEY": DUMMY_KEY,
    }


def container(injection: Injection) -> dict[str, Any]:
    """The sidecar's container.

    No readiness probe, or an outage of providers would take the application out of its Services;
    no preStop, which would run while the application still works.
    """
    return {
        "name": NAME,
        "image": injection.image,
        "restartPolicy": "Always",
        "args": [
            "serve",
            *("--config", f"{CONFIG_DIR}/config.yaml"),
            *("--listen", f"127.0.0.1:{injection.port}"),
            *("--admin", f"0.0.0.0:{ADMIN_PORT}"),
        ],
        # a pod may have another host name than its own, and the fleet tells pods apart by it
        "env": [{"name": "HOSTNAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "envFrom": [{"secretRef": {"name": injection.secret, "optional": True}}],
        "ports": [{"name": "llm-metrics", "containerPort": ADMIN_PORT, "protocol": "TCP"}],
        # generous: a sidecar that is restarted once keeps some Jobs from ever starting
        "startupProbe": {"httpGet": health(), "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {
            "httpGet": health(),
            "periodSeconds": 10,
            "failureThreshold": 3,
            "timeoutSeconds": 3,
        },
        # no limit of CPU: throttling is latency
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "256Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": VOLUME, "mountPath": CONFIG_DIR, "readOnly": True}],
    }


def health() -> dict[str, Any]:
    """What says whether the process lives; it depends on nothing else."""
    return {"path": "/healthz", "port": ADMIN_PORT}


def volume(injection: Injection) -> dict[str, Any]:
    """The configuration, as a directory: a file by `subPath` would never change."""
    items = [{"key": "config.yaml", "path": "config.yaml"}]
    return {"name": VOLUME, "configMap": {"name": injection.config_map, "items": items}}


def reason_to_pass(pod: object, path: str = "") -> str | None:
    """Why `pod` is left alone, `None` if it is not. Raises `Malformed` for what is no pod."""
    found = check(pod, path)
    spec = found["spec"]
    label = labels(found).get(INJECT)
    if label in NO:
        return f"its label {INJECT} is {label}"
    if spec.get("hostNetwork"):
        return "it uses the host's network, where the ports of pods would collide"
    if (spec.get("os") or {}).get("name") == "windows":
        return "it runs on Windows"
    return None


def labels(pod: Pod) -> Mapping[str, Any]:
    """The labels of a pod that was checked."""
    return (pod.get("metadata") or {}).get("labels") or {}


def patch(pod: object, injection: Injection, path: str = "") -> list[Operation]:
    """What has to be added to `pod`; nothing to one that is left alone, or has it all.

    `path` is where the pod stands, for messages. Raises `Malformed` for what is no pod.
    """
    if reason_to_pass(pod, path):
        return []
    found = check(pod, path)
    return [
        *label_added(found),
        *volume_added(found["spec"], injection),
        *container_added(found["spec"], injection),
        *variables_added(found["spec"], injection),
    ]


def label_added(pod: Pod) -> Iterator[Operation]:
    """The label that monitoring selects."""
    if labels(pod).get(INJECTED) == "true":
        return
    if pod.get("metadata") is None:
        yield add("/metadata", {})
    if (pod.get("metadata") or {}).get("labels") is None:
        yield add("/metadata/labels", {})
    yield add(f"/metadata/labels/{INJECTED.replace('/', '~1')}", "true")


def volume_added(spec: Mapping[str, Any], injection: Injection) -> Iterator[Operation]:
    """The volume of the configuration, last."""
    volumes = spec.get("volumes")
    if any(one.get("name") == VOLUME for one in volumes or ()):
        return
    if volumes is None:
        yield add("/spec/volumes", [])
    yield add("/spec/volumes/-", volume(injection))


def container_added(spec: Mapping[str, Any], injection: Injection) -> Iterator[Operation]:
    """The sidecar, before every other init container: these may ask it, too."""
    if has_sidecar(spec):
        return
    if spec.get("initContainers") is None:
        yield add("/spec/initContainers", [])
    yield add("/spec/initContainers/0", container(injection))


def variables_added(spec: Mapping[str, Any], injection: Injection) -> Iterator[Operation]:
    """The variables that containers have not."""
    shift = {"containers": 0, "initContainers": 0 if has_sidecar(spec) else 1}
    for kind, place, one in all_containers(spec):
        if one["name"] != NAME:
            where = f"/spec/{kind}/{place + shift[kind]}/env"
            yield from env_added(one.get("env"), injection.variables, where)


def env_added(
    env: list[Any] | None, variables: Mapping[str, str], where: str
) -> Iterator[Operation]:
    """The variables that one container has not, before its own: these may refer to them."""
    own = [one.get("name") for one in env or ()]
    missing = [name for name in variables if name not in own]
    if missing and env is None:
        yield add(where, [])
    for name in reversed(missing):
        yield add(f"{where}/0", {"name": name, "value": variables[name]})


def has_sidecar(spec: Mapping[str, Any]) -> bool:
    """Whether it is there already, also as a plain container that somebody wrote."""
    return any(one["name"] == NAME for _, _, one in all_containers(spec))


def add(path: str, value: object) -> Operation:
    """One operation."""
    return {"op": "add", "path": path, "value": value}


def apply(operations: list[Operation], pod: Any) -> None:
    """Change `pod` itself as `operations` of `patch` say."""
    for operation in operations:
        *way, last = operation["path"].split("/")[1:]
        place = pod
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        value = deepcopy(operation["value"])  # later operations may add to it
        if not isinstance(place, list):
            place[last.replace("~1", "/")] = value
        elif last == "-":
            place.append(value)
        else:
            place.insert(int(last), value)
