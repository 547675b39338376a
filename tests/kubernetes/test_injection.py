"""The golden set: policy, `sidecar inject` and the webhook give the same pod for each."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Callable
from functools import cache
from io import StringIO
from typing import Any

import jsonpatch
import pytest
from ruamel.yaml import YAML

from sidecar.kubernetes.injection import (
    INJECTED,
    NAME,
    Injection,
    apply,
    container,
    patch,
    reason_to_pass,
)
from sidecar.kubernetes.manifests import injected
from sidecar.kubernetes.removal import remove
from sidecar.kubernetes.review import answer
from sidecar.kubernetes.shapes import Malformed
from tests.kubernetes.pods import EVERYTHING, GOLDEN, IMAGE, LEFT_ALONE, PLAIN, config_map, pod
from tests.kubernetes.policy import Refused, admitted
from tests.kubernetes.security import violations

Json = dict[str, Any]
Injector = Callable[[Json, Injection], Json]

PARAMETERS = {"plain": PLAIN, "everything": EVERYTHING}
EACH_POD = pytest.mark.parametrize("name", GOLDEN)
EACH_SET = pytest.mark.parametrize("parameters", PARAMETERS)
OURS = [name for name in GOLDEN if name not in LEFT_ALONE]


def by_patch(before: Json, injection: Injection) -> Json:
    """The pod of the one Python function, which the others are compared with."""
    after = copy.deepcopy(before)
    apply(patch(before, injection), after)
    return after


def by_policy(before: Json, injection: Injection) -> Json:
    return admitted(before, config_map(injection))


def by_command(before: Json, injection: Injection) -> Json:
    """Through YAML and back: ruamel.yaml also reads what the command wrote."""
    yaml, text = YAML(typ="safe"), StringIO()
    yaml.dump(before, text)
    after: Json = yaml.load(injected(text.getvalue(), injection).text)
    return after


def by_webhook(before: Json, injection: Injection) -> Json:
    said = answer(json.dumps(asked(before)).encode(), injection)
    response = json.loads(said.body)["response"]
    assert response["allowed"] is True
    coded = response.get("patch")
    operations = json.loads(base64.b64decode(coded)) if coded else []
    return dict(jsonpatch.apply_patch(copy.deepcopy(before), operations))


def asked(before: Json) -> Json:
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    request = {"uid": "u", "kind": kind, "operation": "CREATE", "object": before}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


INJECTORS: dict[str, Injector] = {
    "policy": by_policy,
    "command": by_command,
    "webhook": by_webhook,
}


@cache
def golden(name: str, parameters: str) -> Json:
    return by_patch(GOLDEN[name], PARAMETERS[parameters])


@EACH_POD
@EACH_SET
@pytest.mark.parametrize("injector", INJECTORS)
def test_every_injector_gives_the_same_pod(name: str, parameters: str, injector: str) -> None:
    after = INJECTORS[injector](GOLDEN[name], PARAMETERS[parameters])

    assert after == golden(name, parameters)


@EACH_POD
@pytest.mark.parametrize("injector", INJECTORS)
def test_a_second_pass_changes_nothing(name: str, injector: str) -> None:
    once = golden(name, "everything")

    assert INJECTORS[injector](once, EVERYTHING) == once


@pytest.mark.parametrize("name", OURS)
@EACH_SET
def test_a_pod_keeps_to_pod_security_restricted(name: str, parameters: str) -> None:
    assert list(violations(golden(name, parameters)["spec"])) == []


@pytest.mark.parametrize("name", LEFT_ALONE)
def test_a_pod_that_the_port_would_harm_is_left_alone(name: str) -> None:
    assert golden(name, "plain") == GOLDEN[name]
    assert reason_to_pass(GOLDEN[name])


@pytest.mark.parametrize("name", OURS)
def test_a_pod_has_the_sidecar_first_and_once(name: str) -> None:
    after = golden(name, "plain")
    every = [*after["spec"].get("initContainers", []), *after["spec"]["containers"]]

    assert [one["name"] for one in every].count(NAME) == 1
    assert after["metadata"]["labels"][INJECTED] == "true"
    if NAME not in [one["name"] for one in after["spec"]["containers"]]:
        assert after["spec"]["initContainers"][0] == container(PLAIN)


@pytest.mark.parametrize("name", OURS)
def test_every_container_has_every_variable_once_and_its_own_wins(name: str) -> None:
    before = every_env(GOLDEN[name])
    for container_name, env in every_env(golden(name, "everything")).items():
        own = before.get(container_name, [])
        names = [one["name"] for one in env]
        assert len(set(names)) == len(names)
        assert set(EVERYTHING.variables) <= set(names)
        assert env[len(env) - len(own) :] == own


def every_env(one: Json) -> dict[str, list[Json]]:
    containers = [*one["spec"]["containers"], *one["spec"].get("initContainers", [])]
    return {each["name"]: each.get("env", []) for each in containers if each["name"] != NAME}


@pytest.mark.parametrize("name", ["nothing but a container", "labels", "env", "volumes"])
def test_what_is_taken_out_again_leaves_no_trace(name: str) -> None:
    after = copy.deepcopy(golden(name, "everything"))

    assert remove(after)
    assert after == GOLDEN[name]


def test_what_is_not_in_there_is_not_taken_out() -> None:
    before = pod()

    assert not remove(before)
    assert before == pod()


def test_another_sidecars_address_is_not_taken_out() -> None:
    elsewhere = {"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:8000/v1"}
    after = by_patch(pod({"containers": [{"name": "app", "env": [elsewhere]}]}), PLAIN)

    remove(after)

    assert after["spec"]["containers"][0]["env"] == [elsewhere]


@pytest.mark.parametrize("word", ["false", "disabled"])
def test_a_label_opts_out(word: str) -> None:
    assert patch(pod(labels={"llm-failover.dev/inject": word}), PLAIN) == []


def test_the_policy_refuses_a_pod_where_the_image_is_not_said() -> None:
    with pytest.raises(Refused, match="image"):
        admitted(pod(), {"metadata": {"name": "llm-failover"}, "data": {}})


def test_a_port_is_8787_where_the_policy_is_not_told_of_another() -> None:
    params = {"metadata": {"name": "llm-failover"}, "data": {"image": IMAGE}}

    assert admitted(pod(), params) == by_patch(pod(), PLAIN)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (None, "pod: must be a mapping, got nothing"),
        ({}, "spec: must be a mapping, got nothing"),
        ({"spec": []}, "spec: must be a mapping, got a list"),
        ({"spec": {}}, "spec.containers: must have at least one container, got nothing"),
        ({"spec": {"containers": "sk-secret"}}, "spec.containers: must be a list, got a string"),
        ({"spec": {"containers": [1]}}, "spec.containers[0]: must be a mapping, got a number (1)"),
        (
            {"spec": {"containers": [{"name": True}]}},
            "spec.containers[0].name: must be a string, got a boolean (True)",
        ),
        (
            {"spec": {"containers": [{"name": "a", "env": {}}]}},
            "spec.containers[0].env: must be a list, got a mapping",
        ),
        (pod({"volumes": 2.5}), "spec.volumes: must be a list, got a number"),
        (pod({"initContainers": [{}]}), "spec.initContainers[0].name: must be a string"),
        (pod({"os": "linux"}), "spec.os: must be a mapping, got a string"),
        (pod(labels=[]), "metadata.labels: must be a mapping, got a list"),
        ({"metadata": 1, "spec": {}}, "metadata: must be a mapping, got a number (1)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_pod_is_told_with_its_place(broken: object, said: str) -> None:
    with pytest.raises(Malformed) as error:
        patch(broken, PLAIN)

    assert str(error.value).startswith(said)
    assert "sk-secret" not in str(error.value)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"image": ""}, "image: must be the name of an image, got nothing"),
        ({"image": "x", "port": 0}, "port: must be from 1 to 65535 and not 9464, got 0"),
        ({"image": "x", "port": 9464}, "port: must be from 1 to 65535 and not 9464, got 9464"),
    ],
    ids=["no image", "no port", "the port for health"],
)
def test_parameters_that_cannot_be_are_refused(parameters: Json, said: str) -> None:
    with pytest.raises(ValueError, match="must be") as error:
        Injection(**parameters)

    assert str(error.value) == said
