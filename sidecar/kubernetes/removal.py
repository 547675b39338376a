"""The way back: a pod without what an injection added."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sidecar.kubernetes.injection import INJECTED, NAME, PORT, VOLUME, labels, told
from sidecar.kubernetes.shapes import all_containers, check

Is = Callable[[Mapping[str, Any]], bool]
LISTEN = "--listen"


def remove(pod: Any, path: str = "") -> bool:
    """Take the sidecar out of `pod` itself; whether it was in there.

    A list that is empty afterwards goes, too. What the application says for itself stays, unless it
    is exactly what an injection would say. Raises `Malformed` for what is no pod.
    """
    spec = check(pod, path)["spec"]
    sidecars = [one for one in spec.get("initContainers") or () if one["name"] == NAME]
    if not sidecars:
        return False
    ours = list(told(port_of(sidecars[0])).items())
    for _, _, container in all_containers(spec):
        take(container, "env", lambda one: (one.get("name"), one.get("value")) in ours)
    take(spec, "initContainers", lambda one: one["name"] == NAME)
    take(spec, "volumes", lambda one: one.get("name") == VOLUME)
    if INJECTED in labels(pod):
        del pod["metadata"]["labels"][INJECTED]
        if not pod["metadata"]["labels"]:
            del pod["metadata"]["labels"]
    return True


def port_of(sidecar: Mapping[str, Any]) -> int:
    """Where this sidecar listens; where it does not say so, as by default."""
    args = [str(one) for one in sidecar.get("args") or ()]
    after = args[args.index(LISTEN) + 1 :] if LISTEN in args else []
    port = after[0].rpartition(":")[2] if after else ""
    return int(port) if port.isdecimal() else PORT


def take(holder: Any, key: str, unwanted: Is) -> None:
    """Take the unwanted out of a list, and the list out of its holder if nothing is left."""
    found = holder.get(key)
    if not found:
        return
    places = [place for place, one in enumerate(found) if unwanted(one)]
    for place in reversed(places):
        del found[place]
    if places and not found:
        del holder[key]
