"""What is shipped for Kubernetes: valid for each version, restricted, and of one mind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # it comes without types
import pytest
import redis
import yaml
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from sidecar.cli import parser
from sidecar.config import load
from sidecar.kubernetes.injection import INJECTED, Injection, container
from sidecar.kubernetes.manifests import injected
from tests.fleet.stores.redis_server import BINARIES, free_port
from tests.kubernetes.pods import EVERYTHING, PLAIN, pod
from tests.kubernetes.policy import BINDINGS, takes
from tests.kubernetes.security import violations
from tests.kubernetes.shipped import (
    K8S,
    KUBECTL,
    OVERLAYS,
    SOURCES,
    documents,
    every_document,
    file_of,
    kustomize,
    sources,
    template_of,
    title,
)
from tests.kubernetes.test_injection import golden

Json = dict[str, Any]

OLDEST = 31  # the minor version that everything is checked from
NEWEST = int(kubernetes_validate.latest_version().split(".")[1])
VERSIONS = [f"1.{minor}" for minor in range(OLDEST, NEWEST + 1)]
EACH_OVERLAY = pytest.mark.parametrize("overlay", OVERLAYS)
POLICIES = {"MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"}
SINCE = {"admissionregistration.k8s.io/v1": 36, "admissionregistration.k8s.io/v1beta1": 34}
KEYS = {"GEMINI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}
IMAGE_NAME = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)?:[a-z0-9][a-z0-9.-]+")  # no host, and a tag


def unknown_in(version: str, overlay: str) -> list[str]:
    """What of an overlay a version does not know; all else is checked, strictly."""
    unknown = []
    for document in documents(overlay):
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            unknown.append(f"{document['apiVersion']} {document['kind']}")
    return unknown


def too_new(version: str, overlay: str) -> list[str]:
    """What a version is known not to have: policies of a later one, and cert-manager's kinds."""
    minor = int(version.split(".")[1])
    return [
        f"{document['apiVersion']} {document['kind']}"
        for document in documents(overlay)
        if document["apiVersion"].startswith("cert-manager.io/")
        or (document["kind"] in POLICIES and minor < SINCE[document["apiVersion"]])
    ]


@EACH_OVERLAY
def test_what_is_rendered_is_of_these_sources(overlay: str) -> None:
    assert SOURCES.read_text().strip() == sources(), "make manifests"
    if KUBECTL:
        assert list(yaml.load_all(kustomize(overlay), yaml.CSafeLoader)) == documents(overlay)


def test_every_rendering_is_of_an_overlay() -> None:
    assert {path.name for path in SOURCES.parent.glob("*.yaml")} == {
        file_of(overlay).name for overlay in OVERLAYS
    }


@EACH_OVERLAY
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_shipped_is_valid(overlay: str, version: str) -> None:
    assert unknown_in(version, overlay) == too_new(version, overlay)


@pytest.mark.parametrize("version", ["1.29", "1.30", *VERSIONS])
def test_an_injected_pod_is_valid(version: str) -> None:
    for name in ("three containers, mixed", "init containers", "volumes"):
        pod = golden(name, "everything")
        assert kubernetes_validate.validate(pod, version, strict=True) == version


@EACH_OVERLAY
def test_every_pod_of_ours_keeps_to_pod_security_restricted(overlay: str) -> None:
    shop = overlay == "examples/manual"  # whose application is somebody else's
    for document in documents(overlay):
        if found := template_of(document):
            broken = list(violations(found["spec"]))
            assert [one for one in broken if not shop or "llm-failover" in one] == []


@EACH_OVERLAY
def test_images_have_a_tag_and_no_host(overlay: str) -> None:
    for document in documents(overlay):
        for _, one in containers_of(document):
            assert IMAGE_NAME.fullmatch(one["image"]), one["image"]
            assert not one["image"].endswith(":latest")


def containers_of(document: Json) -> Iterator[tuple[Json, Json]]:
    template = template_of(document)
    for kind in ("initContainers", "containers"):
        for one in (template or {}).get("spec", {}).get(kind, []):
            assert template
            yield template, one


@EACH_OVERLAY
def test_what_selects_pods_selects_some(overlay: str) -> None:
    every = documents(overlay)
    labels = [found["metadata"]["labels"] for one in every if (found := template_of(one))]
    for one in every:
        if one["kind"] in {"Service", "PodDisruptionBudget"} and labels:
            selector = one["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            assert any(wanted.items() <= has.items() for has in labels), title(one)


@EACH_OVERLAY
def test_a_port_that_is_named_is_there(overlay: str) -> None:
    every = documents(overlay)
    names = {
        port["name"]
        for document in every
        for _, one in containers_of(document)
        for port in one.get("ports", [])
    }
    for one in every:
        if one["kind"] == "Service":
            assert {port["targetPort"] for port in one["spec"]["ports"]} <= names


@pytest.mark.parametrize(
    ("overlay", "name"),
    [("gateway", "sidecar"), ("webhook/base", "webhook")],
)
def test_the_words_of_a_container_are_understood(overlay: str, name: str) -> None:
    (args,) = (
        one["args"]
        for document in documents(overlay)
        for _, one in containers_of(document)
        if one["name"] == name
    )

    assert parser().parse_args(args).run.__name__ == args[0]


def test_the_webhook_injects_the_image_that_it_runs_in() -> None:
    (one,) = (one for document in documents("webhook/base") for _, one in containers_of(document))

    assert parser().parse_args(one["args"]).image == one["image"]


def test_the_words_of_the_sidecar_are_understood() -> None:
    options = parser().parse_args(container(EVERYTHING)["args"])

    assert options.run.__name__ == "serve"
    assert str(options.listen) == "127.0.0.1:9000"
    assert str(options.admin) == "0.0.0.0:9464"
    assert options.config == "/etc/sidecar/config.yaml"


def test_the_sidecar_neither_delays_its_end_nor_unreadies_its_application() -> None:
    assert not container(PLAIN).keys() & {"lifecycle", "readinessProbe", "command"}
    assert container(PLAIN)["startupProbe"]["httpGet"]["path"] == "/healthz"


# Who is injected

NAMESPACES: dict[str, Json] = {
    "enabled": {"llm-failover.dev/inject": "enabled"},
    "disabled": {"llm-failover.dev/inject": "disabled"},
    "unlabelled": {},
    "kube-system": {
        "kubernetes.io/metadata.name": "kube-system",
        "llm-failover.dev/inject": "enabled",
    },
}
TAKEN = {
    ("enabled", None): True,
    ("enabled", "true"): True,
    ("enabled", "false"): False,
    ("enabled", "disabled"): False,
    ("disabled", None): False,
    ("disabled", "true"): False,
    ("unlabelled", None): False,
    ("unlabelled", "true"): True,
    ("unlabelled", "enabled"): True,
    ("unlabelled", "false"): False,
}


def labelled(word: str | None) -> Json:
    return pod(labels={"app": "web", **({"llm-failover.dev/inject": word} if word else {})})


def webhooks(overlay: str = "webhook/base") -> list[Json]:
    (found,) = (one for one in documents(overlay) if one["kind"] == "MutatingWebhookConfiguration")
    hooks: list[Json] = found["webhooks"]
    return hooks


@pytest.mark.parametrize(("namespace", "word"), TAKEN)
def test_policy_and_webhook_take_the_same_pods(namespace: str, word: str | None) -> None:
    by_policy = [one["spec"]["matchResources"] for one in BINDINGS]
    labels, one = NAMESPACES[namespace], labelled(word)

    assert takes(by_policy, labels, one) is TAKEN[namespace, word]
    assert takes(webhooks(), labels, one) is TAKEN[namespace, word]


@pytest.mark.parametrize("word", [None, "true", "enabled"])
@pytest.mark.parametrize("name", ["kube-system", "kube-public", "llm-failover-system"])
def test_no_webhook_is_asked_about_systems_or_itself(name: str, word: str | None) -> None:
    for label in ({}, {"llm-failover.dev/inject": "enabled"}):
        labels = {"kubernetes.io/metadata.name": name, **label}
        assert not takes(webhooks(), labels, labelled(word))


@pytest.mark.parametrize(
    ("overlay", "policy"),
    [
        ("webhook/base", "Ignore"),
        ("webhook/cert-manager", "Ignore"),
        ("webhook/fail-closed", "Fail"),
    ],
)
def test_a_webhook_that_is_down_is_ignored_unless_it_must_not_be(overlay: str, policy: str) -> None:
    assert [hook["failurePolicy"] for hook in webhooks(overlay)] == [policy, policy]


def test_the_certificate_is_for_the_service_that_is_asked() -> None:
    every = documents("webhook/cert-manager")
    (certificate,) = (one for one in every if title(one) == "Certificate llm-failover-webhook")
    services = {hook["clientConfig"]["service"]["name"] for hook in webhooks()}
    namespaces = {hook["clientConfig"]["service"]["namespace"] for hook in webhooks()}

    assert [f"{services.pop()}.{namespaces.pop()}.svc"] == certificate["spec"]["dnsNames"][:1]
    assert (services, namespaces) == (set(), set())


def test_the_old_policy_says_what_the_new_one_says() -> None:
    old = [{**one, "apiVersion": ""} for one in documents("policy/v1beta1")]
    new = [{**one, "apiVersion": ""} for one in documents("policy")]

    assert old == new
    assert {one["apiVersion"] for one in documents("policy/v1beta1")} == {
        "admissionregistration.k8s.io/v1beta1"
    }


# The component


def test_the_component_gives_the_pods_that_the_command_gives() -> None:
    source = (K8S / "examples" / "manual" / "workloads.yaml").read_text()
    by_command = list(
        yaml.safe_load_all(injected(source, Injection(image="llm-failover-sidecar:0.1.0")).text)
    )
    by_component = [one for one in documents("examples/manual") if template_of(one)]

    assert len(by_component) == len(by_command) == 2
    for one, other in zip(by_component, by_command, strict=True):
        ours, theirs = template_of(one), template_of(other)
        assert ours
        assert theirs
        assert ours["metadata"] == theirs["metadata"]
        assert sorted_env(ours["spec"]) == sorted_env(without_variables_of_inits(theirs["spec"]))


def without_variables_of_inits(spec: Json) -> Json:
    """What a component cannot do: give the application's own init containers a variable."""
    for one in spec["initContainers"][1:]:
        del one["env"]
    return spec


def sorted_env(spec: Json) -> Json:
    """A component puts a variable after the container's own, not before."""
    for one in spec["containers"]:
        one["env"].sort(key=lambda variable: variable["name"])
    return spec


# Configurations and commands that lie in there


CONFIGURATIONS = [
    pytest.param(text, id=f"{overlay} {title(document)}")
    for overlay, document in every_document()
    if document["kind"] == "ConfigMap"
    for key, text in document["data"].items()
    if key == "config.yaml"
]


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_is_valid(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)

    assert load(file, KEYS).warnings == ()


def test_the_applications_program_is_one() -> None:
    (program,) = (
        one["args"][0]
        for document in documents("examples/failover")
        for _, one in containers_of(document)
    )

    assert compile(program, "asker", "exec")
    assert set(re.findall(r'environ\["(\w+)"\]', program)) <= set(PLAIN.variables)


def test_the_store_starts_as_it_is_told_to() -> None:
    (store,) = (one for document in documents("store") for _, one in containers_of(document))
    port = free_port()
    words = [BINARIES["valkey"], *store["args"], "--port", str(port), "--bind", "127.0.0.1"]

    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:  # noqa: S603  our own words
        patient = Retry(ConstantBackoff(0.05), 100)
        errors: list[type[Exception]] = [redis.ConnectionError]
        with closing(redis.Redis(port=port, retry=patient, retry_on_error=errors)) as client:
            settings = client.config_get("save", "appendonly", "maxmemory")
        process.terminate()

    assert settings == {"save": "", "appendonly": "no", "maxmemory": str(64 << 20)}


def test_what_monitoring_and_the_store_select_is_on_every_sidecar() -> None:
    monitor = yaml.safe_load((K8S / "monitoring" / "podmonitor.yaml").read_text())
    (port,) = container(PLAIN)["ports"]

    assert monitor["spec"]["selector"]["matchLabels"] == {INJECTED: "true"}
    assert monitor["spec"]["podMetricsEndpoints"][0]["port"] == port["name"]
    (allowed,) = (one for one in documents("store") if one["kind"] == "NetworkPolicy")
    (source,) = allowed["spec"]["ingress"][0]["from"]
    assert source["podSelector"]["matchLabels"] == {INJECTED: "true"}
