"""What an API server asks at a pod's admission, and what it is told: AdmissionReview v1.

An answer never refuses a pod. What cannot be injected is admitted as it is, with a warning that the
one who created it sees.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from sidecar.kubernetes.injection import Injection, patch
from sidecar.kubernetes.shapes import Malformed, described

VERSION = "admission.k8s.io/v1"
KIND = "AdmissionReview"
MAX_UID = 256  # characters; an API server's has 36

Result = Literal["injected", "unchanged", "malformed", "unreadable"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back, and in a word what it says."""

    status: int
    body: bytes
    result: Result


class Unreadable(ValueError):
    """It is no AdmissionReview that could be answered with one."""


def answer(body: bytes, injection: Injection) -> Answer:
    """The answer to `body`: a review, or status 400 with a word on why it is not read as one."""
    try:
        request = request_of(body)
    except Unreadable as error:
        return Answer(400, orjson.dumps({"error": str(error)}), "unreadable")
    try:
        operations = patch(request["object"], injection) if is_new_pod(request) else []
    except Malformed as error:
        warning = f"llm-failover: the sidecar is not injected: {error}"
        return review(request["uid"], "malformed", {"warnings": [warning]})
    if not operations:
        return review(request["uid"], "unchanged", {})
    coded = base64.b64encode(orjson.dumps(operations)).decode()
    return review(request["uid"], "injected", {"patchType": "JSONPatch", "patch": coded})


def review(uid: str, result: Result, more: Mapping[str, Any]) -> Answer:
    """A review that admits."""
    response = {"uid": uid, "allowed": True, **more}
    body = {"apiVersion": VERSION, "kind": KIND, "response": response}
    return Answer(200, orjson.dumps(body), result)


def request_of(body: bytes) -> Mapping[str, Any]:
    """The request of a review; its `uid` is a string. Raises `Unreadable`."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Unreadable("the body is not JSON") from None
    if not isinstance(asked, dict):
        raise Unreadable(f"the body must be a mapping, got {described(asked)}")
    for key, wanted in (("apiVersion", VERSION), ("kind", KIND)):
        if asked.get(key) != wanted:
            raise Unreadable(f"{key}: must be {wanted}, got {described(asked.get(key))}")
    request = asked.get("request")
    if not isinstance(request, dict):
        raise Unreadable(f"request: must be a mapping, got {described(request)}")
    uid = request.get("uid")
    if not isinstance(uid, str) or not 0 < len(uid) <= MAX_UID:
        raise Unreadable(f"request.uid: must be up to {MAX_UID} characters, got {described(uid)}")
    return request


def is_new_pod(request: Mapping[str, Any]) -> bool:
    """Whether it is asked about a pod that is being created, and nothing else of one."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    return (
        request.get("kind") == kind
        and request.get("operation") == "CREATE"
        and not request.get("subResource")
        and "object" in request
    )
