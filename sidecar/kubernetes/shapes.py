"""What is read of a pod, with a clear word where it has not the shape that Kubernetes gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Pod = Mapping[str, Any]
ListOfMaps = list[Any]

SHOWN = 40  # characters of a wrong value in a message
TYPES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (str, "a string"),
    (int, "a number"),
    (float, "a number"),
    (list, "a list"),
    (Mapping, "a mapping"),
)


class Malformed(ValueError):
    """It is no pod: `path: what is wanted, got WHAT`. Texts are not quoted: they may be keys."""

    def __init__(self, path: str, wanted: str, got: object) -> None:
        shown = named(got) if isinstance(got, str) else described(got)
        super().__init__(f"{path}: {wanted}, got {shown}")


def named(value: object) -> str:
    """Of which kind `value` is."""
    if value is None:
        return "nothing"
    return next((name for kind, name in TYPES if isinstance(value, kind)), "something else")


def described(value: object) -> str:
    """Of which kind `value` is, and what it says if that is short and plain."""
    return f"{named(value)} ({value!r:.{SHOWN}})" if isinstance(value, str | int) else named(value)


def mapping(value: object, path: str) -> Mapping[str, Any]:
    """`value`, if it is a mapping."""
    if not isinstance(value, Mapping):
        raise Malformed(path, "must be a mapping", value)
    return value


def maps(value: object, path: str) -> ListOfMaps:
    """`value`, if it is a list of mappings; empty for one that is not there."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Malformed(path, "must be a list", value)
    for place, one in enumerate(value):
        mapping(one, f"{path}[{place}]")
    return value


def containers(spec: Mapping[str, Any], path: str = "spec") -> ListOfMaps:
    """The pod's containers: there is at least one."""
    found = maps(spec.get("containers"), f"{path}.containers")
    if not found:
        raise Malformed(f"{path}.containers", "must have at least one container", None)
    return found


def check(pod: object, path: str = "") -> Pod:
    """`pod`, if everything that an injection reads or changes has the shape of a pod's."""
    found = mapping(pod, path or "pod")
    metadata = found.get("metadata")
    if metadata is not None:
        labels = mapping(metadata, f"{path}metadata").get("labels")
        if labels is not None:
            mapping(labels, f"{path}metadata.labels")
    spec = mapping(found.get("spec"), f"{path}spec")
    containers(spec, f"{path}spec")
    maps(spec.get("volumes"), f"{path}spec.volumes")
    for kind, place, container in all_containers(spec, f"{path}spec."):
        where = f"{path}spec.{kind}[{place}]"
        if not isinstance(container.get("name"), str):
            raise Malformed(f"{where}.name", "must be a string", container.get("name"))
        maps(container.get("env"), f"{where}.env")
    system = spec.get("os")
    if system is not None:
        mapping(system, f"{path}spec.os")
    return found


def all_containers(
    spec: Mapping[str, Any], path: str = "spec."
) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Every container with the list that it is in and its place there."""
    for kind in ("containers", "initContainers"):
        for place, container in enumerate(maps(spec.get(kind), f"{path}{kind}")):
            yield kind, place, container
