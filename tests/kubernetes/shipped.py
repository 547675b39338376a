"""What is shipped for Kubernetes, as it lies there."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
K8S = ROOT / "deploy" / "k8s"
