"""Where the pods are in what is applied to a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sidecar.kubernetes.shapes import mapping, maps

TEMPLATE = ("spec", "template")
PODS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): (),
    **{
        ("apps", kind): TEMPLATE
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    },
    ("batch", "Job"): TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *TEMPLATE),
}


class Place(NamedTuple):
    """A pod, or the template of one, with its way from the document's top: `spec.template.`."""

    pod: Any
    path: str


def pods(document: object, path: str = "") -> Iterator[Place]:
    """Every pod of a document. Raises `Malformed` where the way to one is not as it has to be."""
    if not isinstance(document, dict):
        return
    group, kind = group_of(document), document.get("kind")
    if group == "" and kind == "List":
        for place, item in enumerate(maps(document.get("items"), f"{path}items")):
            yield from pods(item, f"{path}items[{place}].")
        return
    steps = PODS.get((group, str(kind)))
    if steps is None:
        return
    found: Any = document
    for step in steps:
        path = f"{path}{step}"
        found = mapping(found.get(step), path)
        path += "."
    yield Place(found, path)


def group_of(document: dict[str, Any]) -> str:
    """The API group of a document; none is the core's. Others have a Job of their own, too."""
    group, slash, _ = str(document.get("apiVersion", "")).partition("/")
    return group if slash else ""


def title(document: object) -> str:
    """What a document is called in messages: `Deployment web`."""
    if not isinstance(document, dict):
        return ""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return " ".join(str(part)[:253] for part in (document.get("kind"), name) if part)
