"""The golden set: pods as an API server sees them at their admission."""

from __future__ import annotations

from typing import Any

from sidecar.kubernetes.injection import Injection, container

Json = dict[str, Any]

IMAGE = "registry.example/llm-failover-sidecar:0.1.0"
PLAIN = Injection(image=IMAGE)
EVERYTHING = Injection(
    image=IMAGE,
    port=9000,
    config_map="chains",
    secret="chain-keys",
    openai_api_base=True,
    anthropic_base_url=True,
    dummy_api_key=True,
)


def config_map(injection: Injection) -> Json:
    """The ConfigMap that says the same to the policy."""
    flags = {
        "openaiApiBase": injection.openai_api_base,
        "anthropicBaseUrl": injection.anthropic_base_url,
        "dummyApiKey": injection.dummy_api_key,
    }
    data = {
        "image": injection.image,
        "port": str(injection.port),
        "secretName": injection.secret,
        **{name: "true" for name, wanted in flags.items() if wanted},
    }
    return {"metadata": {"name": injection.config_map, "namespace": "shop"}, "data": data}


def pod(spec: Json | None = None, **metadata: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", **metadata},
        "spec": {"containers": [app()], **(spec or {})},
    }


def app(name: str = "app", **more: Any) -> Json:
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"name": name, "image": "app:1", "securityContext": secure, **more}


def variable(name: str, value: str = "x") -> Json:
    return {"name": name, "value": value}


OWN_URL = variable("OPENAI_BASE_URL", "http://elsewhere.example/v1")
TOKEN = {"name": "token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
OURS = {"configMap": {"name": "other"}, "name": "llm-failover-config"}

GOLDEN: dict[str, Json] = {
    "nothing but a container": pod(),
    "labels": pod(labels={"app": "web", "llm-failover.dev/inject": "enabled"}),
    "env": pod({"containers": [app(env=[variable("MODE"), variable("B", "$(MODE)")])]}),
    "an empty env": pod({"containers": [app(env=[])]}),
    "its own base URL": pod({"containers": [app(env=[variable("A"), OWN_URL])]}),
    "its own key, from a secret": pod(
        {
            "containers": [
                app(
                    env=[
                        {
                            "name": "OPENAI_API_KEY",
                            "valueFrom": {"secretKeyRef": {"name": "k", "key": "k"}},
                        }
                    ]
                )
            ]
        }
    ),
    "every variable its own": pod(
        {
            "containers": [
                app(
                    env=[
                        OWN_URL,
                        variable("OPENAI_API_BASE"),
                        variable("ANTHROPIC_BASE_URL"),
                        variable("OPENAI_API_KEY"),
                    ]
                )
            ]
        }
    ),
    "init containers": pod({"initContainers": [app("migrate"), app("warm", env=[variable("A")])]}),
    "another native sidecar": pod({"initContainers": [app("mesh", restartPolicy="Always")]}),
    "empty lists": pod({"initContainers": [], "volumes": []}, labels={}),
    "volumes": pod({"volumes": [TOKEN, {"name": "tmp", "emptyDir": {}}]}),
    "three containers, mixed": pod(
        {"containers": [app(), app("b", env=[OWN_URL]), app("c", env=[variable("A")])]}
    ),
    "of a Job": pod({"restartPolicy": "Never"}, labels={"batch.kubernetes.io/job-name": "j"}),
    "a volume of our name": pod({"volumes": [OURS]}),
    "the sidecar as a plain container": pod({"containers": [app(), app("llm-failover")]}),
    "already injected, a container later": pod(
        {
            "initContainers": [container(PLAIN), app("late")],
            "volumes": [OURS],
            "containers": [app(env=[OWN_URL]), app("later")],
        },
        labels={"llm-failover.dev/injected": "true"},
    ),
    "fields of tomorrow": pod(
        {"containers": [app(futureField={"deep": [1, None]})], "resources": {"limits": {}}}
    ),
    "host network": pod({"hostNetwork": True}),
    "no host network": pod({"hostNetwork": False}),
    "Windows": pod({"os": {"name": "windows"}}),
    "Linux": pod({"os": {"name": "linux"}}),
    "many containers": pod({"containers": [app(f"c{place}") for place in range(32)]}),
}
LEFT_ALONE = ("host network", "Windows")
