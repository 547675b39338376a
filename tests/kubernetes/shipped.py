"""What is shipped for Kubernetes: as it lies there, and as kustomize renders it.

The renderings lie in `rendered/`, so that they can be tested without kubectl. After a change in
`deploy/k8s`, `make manifests` writes them anew, with it.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

ROOT = Path(__file__).parent.parent.parent
K8S = ROOT / "deploy" / "k8s"
RENDERED = Path(__file__).parent / "rendered"
SOURCES = RENDERED / "sources.sha256"
KUBECTL = shutil.which("kubectl")

ELSEWHERE = ("monitoring",)  # made of what tests/monitoring looks at
OVERLAYS = sorted(
    str(path.parent.relative_to(K8S))
    for path in K8S.rglob("kustomization.yaml")
    if yaml.safe_load(path.read_text())["kind"] == "Kustomization"
    and path.parent.name not in ELSEWHERE
)


def kustomize(overlay: str) -> str:
    """What kubectl makes of an overlay."""
    assert KUBECTL
    return subprocess.run(  # noqa: S603  our own words
        [KUBECTL, "kustomize", str(K8S / overlay)], check=True, capture_output=True, text=True
    ).stdout


def file_of(overlay: str) -> Path:
    """Where its rendering lies."""
    return RENDERED / f"{overlay.replace('/', '-')}.yaml"


def sources() -> str:
    """A digest of everything that the renderings are made of."""
    files = sorted(
        path for path in K8S.rglob("*.yaml") if path.relative_to(K8S).parts[0] not in ELSEWHERE
    )
    told = [f"{file.relative_to(K8S)}\0{file.read_text()}" for file in files]
    return hashlib.sha256("\0".join(told).encode()).hexdigest()


@cache
def rendered(overlay: str) -> tuple[Json, ...]:
    """What its rendering says; for all to read."""
    return tuple(yaml.load_all(file_of(overlay).read_text(), yaml.CSafeLoader))


def documents(overlay: str) -> list[Json]:
    """What would be applied."""
    return copy.deepcopy(list(rendered(overlay)))


def every_document() -> Iterator[tuple[str, Json]]:
    """Everything that would be applied, with its overlay."""
    for overlay in OVERLAYS:
        for document in documents(overlay):
            yield overlay, document


def title(document: Json) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


def template_of(document: Json) -> Json | None:
    """The pod's template of a workload."""
    spec = document.get("spec", {})
    if document["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec.get("template") if document["kind"] != "Certificate" else None


def write() -> None:
    """Render everything anew."""
    shutil.rmtree(RENDERED, ignore_errors=True)
    RENDERED.mkdir()
    for overlay in OVERLAYS:
        file_of(overlay).write_text(kustomize(overlay))
    SOURCES.write_text(f"{sources()}\n")


if __name__ == "__main__":
    write()
