"""What API servers ask, and the answer that they always get."""

from __future__ import annotations

import base64
import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.kubernetes.review import answer
from tests.kubernetes.pods import PLAIN, pod

Json = dict[str, Any]

PODS = {"group": "", "version": "v1", "kind": "Pod"}


def asked(**request: Any) -> Json:
    """The request that an API server sends, whole."""
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": PODS,
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": PODS,
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
            "object": pod(),
            "oldObject": None,
            "dryRun": False,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
            **request,
        },
    }


def response(asked_for: Json) -> Json:
    said = answer(json.dumps(asked_for).encode(), PLAIN)
    assert said.status == 200
    review: Json = json.loads(said.body)
    assert (review["apiVersion"], review["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    found: Json = review["response"]
    assert found["allowed"] is True
    return found


def test_a_pod_is_answered_with_a_patch_under_the_requests_id() -> None:
    found = response(asked())

    assert found.keys() == {"uid", "allowed", "patchType", "patch"}
    assert found["uid"] == asked()["request"]["uid"]
    assert found["patchType"] == "JSONPatch"
    assert {one["op"] for one in json.loads(base64.b64decode(found["patch"]))} == {"add"}


@pytest.mark.parametrize(
    "request_for",
    [
        asked(operation="UPDATE"),
        asked(operation="DELETE", object=None),
        asked(subResource="ephemeralcontainers"),
        asked(kind={**PODS, "kind": "Service"}),
        asked(object=pod({"hostNetwork": True})),
        asked(object=pod(labels={"llm-failover.dev/inject": "false"})),
    ],
    ids=["update", "delete", "a part", "another kind", "host network", "opted out"],
)
def test_what_is_none_of_ours_is_admitted_as_it_is(request_for: Json) -> None:
    assert response(request_for).keys() == {"uid", "allowed"}


def test_what_is_no_pod_is_admitted_with_a_warning() -> None:
    found = response(asked(object={"spec": {"containers": [{"name": 1}]}}))

    assert found["warnings"] == [
        "llm-failover: the sidecar is not injected: spec.containers[0].name: must be a string, "
        "got a number (1)"
    ]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body must be a mapping, got a list"),
        (b"{}", "apiVersion: must be admission.k8s.io/v1, got nothing"),
        (
            b'{"apiVersion": "admission.k8s.io/v1beta1"}',
            "apiVersion: must be admission.k8s.io/v1, got a string ('admission.k8s.io/v1beta1')",
        ),
        (orjson.dumps({**asked(), "kind": None}), "kind: must be AdmissionReview, got nothing"),
        (orjson.dumps({**asked(), "request": 1}), "request: must be a mapping, got a number (1)"),
        (orjson.dumps(asked(uid="")), "request.uid: must be up to 256 characters"),
        (orjson.dumps(asked(uid="u" * 257)), "request.uid: must be up to 256 characters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_review_is_told_so(body: bytes, said: str) -> None:
    found = answer(body, PLAIN)

    assert found.status == 400
    assert json.loads(found.body)["error"].startswith(said)


# Anything at all

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=4)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in `value`."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    return [way, *(one for key, inner in pairs for one in places(inner, (*way, key)))]


def replaced(value: Any, way: tuple[Any, ...], new: Any) -> Any:
    """`value` with `new` at the end of `way`."""
    if not way:
        return new
    after = value.copy()
    after[way[0]] = replaced(value[way[0]], way[1:], new)
    return after


FULL = asked(
    object=pod(
        {
            "initContainers": [{"name": "i", "env": [{"name": "A", "value": "b"}]}],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "os": {"name": "linux"},
            "hostNetwork": False,
        },
        labels={"app": "web"},
    )
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(places(FULL)), ANYTHING)
def test_a_review_with_anything_anywhere_gets_an_answer(way: tuple[Any, ...], new: Any) -> None:
    changed = replaced(FULL, way, new)
    said = answer(orjson.dumps(changed), PLAIN)

    uid = changed["request"]["uid"] if said.status == 200 else None
    assert said.status in {200, 400}
    assert (json.loads(said.body).get("response") or {}).get("uid") == uid


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    assert answer(body, PLAIN).status == 400


@pytest.mark.parametrize("size", range(0, len(orjson.dumps(FULL)), 7))
def test_a_review_that_was_cut_gets_an_answer(size: int) -> None:
    assert answer(orjson.dumps(FULL)[:size], PLAIN).status == 400
