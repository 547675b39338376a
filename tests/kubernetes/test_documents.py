"""What the documents say of Kubernetes is what there is."""

from __future__ import annotations

import re

import pytest

from sidecar.cli import parser
from sidecar.kubernetes.injection import Injection
from tests.kubernetes.shipped import K8S, ROOT
from tests.kubernetes.test_deploy import VERSIONS
from tests.test_documents import section, table

POLICY = (K8S / "policy" / "v1" / "policy.yaml").read_text()
WORDS = {
    "inject": ("inject", "-f", "-", "--image", "x"),
    "webhook": ("webhook", "--cert", "c", "--key", "k", "--image", "x"),
}


def told() -> list[list[str]]:
    """The rows of the table of parameters."""
    rows = section("kubernetes.md", "## Parameters").splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row[:1] == "|"]
    return cells[2:]


def test_every_parameter_of_the_policy_is_told() -> None:
    read = set(re.findall(r"params\.data\['(\w+)'\]", POLICY))

    assert {cells[0].strip("`") for cells in told() if " " not in cells[0]} == read


@pytest.mark.parametrize("command", WORDS)
def test_every_option_is_told_and_its_default(command: str) -> None:
    options = vars(parser().parse_args(WORDS[command]))

    for _, option, default, _ in told():
        name = option.strip("`-").replace("-", "_")
        assert name in options
        if name != "image":
            assert str(options[name]).lower() == default.strip("`")


def test_every_parameter_of_an_injection_is_told() -> None:
    names = {cells[1].strip("`-").replace("-", "_") for cells in told()}

    assert names == set(Injection.__dataclass_fields__)


def test_the_words_on_labels_are_those_of_the_selectors() -> None:
    rows = table("kubernetes.md", "## Who gets it")
    bindings = (K8S / "policy" / "v1" / "bindings.yaml").read_text()
    said = set(re.findall(r'"(\w+)"', bindings)) | {"enabled"}

    assert {word for word in rows if "/" not in word} == said


def test_the_versions_that_are_checked_are_told() -> None:
    text = (K8S / "README.md").read_text()

    assert f"of {VERSIONS[0]} to {VERSIONS[-1]}," in text


def test_every_folder_is_told() -> None:
    rows = re.findall(r"^\| `(\w+)/` \|", (K8S / "README.md").read_text(), re.MULTILINE)

    assert sorted(rows) == sorted(path.name for path in K8S.iterdir() if path.is_dir())
    assert (ROOT / "docs" / "kubernetes.md").exists()
