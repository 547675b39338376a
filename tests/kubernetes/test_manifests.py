"""`sidecar inject`: YAML in, YAML out."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sidecar.cli import main
from sidecar.kubernetes.injection import container, volume
from sidecar.kubernetes.manifests import Unreadable, cleaned, injected
from tests.kubernetes.pods import IMAGE, PLAIN
from tests.kubernetes.test_review import ANYTHING, FULL, places, replaced

Json = dict[str, Any]
Capture = pytest.CaptureFixture[str]

SHOP = """\
# the shop's own settings
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}   # kept
data:
  a:    "b"
  script: |
    hello
    there
---   # what it runs on
# the web
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web   # its name
spec:
  template:
    metadata:
      labels:
        app: web   # it
    spec:
      # before it
      initContainers:
        # migrates
        - name: migrate
          image: "migrate:1"
      containers:
        # the app
        - name: app
          image: 'app:1'
          args: [--mode, "x", 0o644]
          env:
            # how it runs
            - name: MODE   # mode
              value: "yes"

            # and this
            - name: B
              value: on
          volumeMounts: &mounts
            - {name: a, mountPath: /a}
        - name: second
          volumeMounts: *mounts
          command: ["a very long line that goes on and on", "and on and on and on", "and on and on"]
      volumes:
        - name: a
          configMap: {name: settings, defaultMode: 0644}
      # the end
---
apiVersion: v1
kind: Service
metadata: {name: web}
...
"""
CHANGED = """\
      initContainers:
{sidecar}
        # migrates
        - name: migrate
          image: "migrate:1"
          env:
            - name: OPENAI_BASE_URL
              value: http://127.0.0.1:8787/v1
      containers:
        # the app
        - name: app
          image: 'app:1'
          args: [--mode, "x", 0o644]
          env:
            - name: OPENAI_BASE_URL
              value: http://127.0.0.1:8787/v1
            # how it runs
            - name: MODE   # mode
              value: "yes"

            # and this
            - name: B
              value: on
          volumeMounts: &mounts
            - {name: a, mountPath: /a}
        - name: second
          volumeMounts: *mounts
          command: ["a very long line that goes on and on", "and on and on and on", "and on and on"]
          env:
            - name: OPENAI_BASE_URL
              value: http://127.0.0.1:8787/v1
      volumes:
        - name: a
          configMap: {name: settings, defaultMode: 0644}
        - name: llm-failover-config
"""

POD = "containers: [{name: app}]"
TEMPLATE = f"template: {{spec: {{{POD}}}}}"
JOB = f"{{spec: {{{TEMPLATE}}}}}"
ITEM = f"{{apiVersion: v1, kind: Pod, spec: {{{POD}}}}}"
WORKLOADS = {
    "Pod": f"apiVersion: v1\nkind: Pod\nspec: {{{POD}}}\n",
    **{
        kind: f"apiVersion: apps/v1\nkind: {kind}\nspec: {{{TEMPLATE}}}\n"
        for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
    },
    "Job": f"apiVersion: batch/v1\nkind: Job\nspec: {{{TEMPLATE}}}\n",
    "CronJob": f"apiVersion: batch/v1\nkind: CronJob\nspec: {{jobTemplate: {JOB}}}\n",
    "List": f"apiVersion: v1\nkind: List\nitems: [{ITEM}]\n",
}


def loaded(text: str) -> list[Any]:
    return list(YAML(typ="safe").load_all(text))


def pod_of(document: Json) -> Json:
    """The one pod of a document, wherever it is."""
    match document["kind"]:
        case "Pod":
            return document
        case "List":
            return pod_of(document["items"][0])
        case "CronJob":
            return pod_of({**document["spec"]["jobTemplate"], "kind": "Job"})
    found: Json = document["spec"]["template"]
    return found


# What comes out


@pytest.mark.parametrize("kind", WORKLOADS)
def test_every_kind_of_workload_gets_the_sidecar(kind: str) -> None:
    result = injected(WORKLOADS[kind], PLAIN)

    (document,) = loaded(result.text)
    found = pod_of(document)
    assert result.pods == 1
    assert found["spec"]["initContainers"] == [container(PLAIN)]
    assert found["spec"]["volumes"] == [volume(PLAIN)]
    assert found["metadata"]["labels"] == {"llm-failover.dev/injected": "true"}


@pytest.mark.parametrize("kind", WORKLOADS)
def test_what_is_in_there_already_stays_to_the_byte(kind: str) -> None:
    once = injected(WORKLOADS[kind], PLAIN).text

    assert injected(once, PLAIN).text == once


@pytest.mark.parametrize("kind", WORKLOADS)
def test_what_is_taken_out_leaves_no_sidecar(kind: str) -> None:
    result = cleaned(injected(WORKLOADS[kind], PLAIN).text)

    assert result.pods == 1
    assert "llm-failover" not in result.text
    assert "127.0.0.1" not in result.text


def test_comments_quotes_and_line_ends_stay() -> None:
    result = injected(SHOP, PLAIN).text

    before, _, after = CHANGED.partition("{sidecar}\n")
    begin, end = result.index("      initContainers:"), result.index("        # migrates")
    assert result[begin:].startswith(before)
    assert result[end:].startswith(after)


def test_documents_without_pods_stay_to_the_byte() -> None:
    result = injected(SHOP, PLAIN).text

    assert result.startswith(SHOP[: SHOP.index("initContainers:")].partition("        app: web")[0])
    assert result.endswith(SHOP[SHOP.index("      # the end") :])


def test_what_is_taken_out_leaves_the_text_as_it_was() -> None:
    assert cleaned(injected(SHOP, PLAIN).text).text == SHOP


def test_line_ends_that_differ_stay_to_the_byte() -> None:
    assert injected("a: 1\r\nb: 2\n---\r\nc: 3\n", PLAIN).text == "a: 1\r\nb: 2\n---\r\nc: 3\n"


def test_line_ends_of_windows_stay() -> None:
    result = injected(SHOP.replace("\n", "\r\n"), PLAIN).text

    assert result.replace("\r\n", "") == injected(SHOP, PLAIN).text.replace("\n", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# nothing\n",
        "---\n---\n",
        "a: 1\n",
        "- 1\n",
        "text\n",
        "apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nspec: {tasks: []}\n",
        "%YAML 1.1\n---\na: yes\n",
        "a: |\n  b\n  --- not one\n---\nb: '\n x'\n",
    ],
)
def test_a_text_without_pods_stays_to_the_byte(text: str) -> None:
    assert injected(text, PLAIN).text == text


@given(st.text(alphabet="ab:-# \n'\"|{}[]&*%", max_size=60))
def test_any_text_is_either_refused_or_kept(text: str) -> None:
    after = text_or_error(text)

    assert after == text or after.startswith("document 1")


def text_or_error(text: str) -> str:
    try:
        return injected(text, PLAIN).text
    except Unreadable as error:
        return str(error)


MANIFEST = {**FULL["request"]["object"], "apiVersion": "v1", "kind": "Pod"}


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(places(MANIFEST)), ANYTHING)
def test_a_pod_with_anything_anywhere_is_refused_or_gets_in_and_out(
    way: tuple[Any, ...], new: Any
) -> None:
    text = written(replaced(MANIFEST, way, new))
    once = text_or_error(text)

    if not once.startswith("document "):
        assert text_or_error(once) == once
        assert "llm-failover-config" not in cleaned(once).text


def written(value: Any) -> str:
    out = StringIO()
    YAML(typ="safe").dump(value, out)
    return out.getvalue()


SHARED = """\
apiVersion: v1
kind: Pod
spec:
  containers:
    - name: a
      env: &env
        - {name: MODE, value: x}
    - name: b
      env: *env
    - &third
      name: c
      image: x
    - <<: *third
      name: d
"""


def test_what_containers_share_is_changed_once_in_each() -> None:
    once = injected(SHARED, PLAIN).text

    containers = loaded(once)[0]["spec"]["containers"]
    assert [[one["name"] for one in each["env"]] for each in containers] == [
        ["OPENAI_BASE_URL", "MODE"],
        ["OPENAI_BASE_URL", "MODE"],
        ["OPENAI_BASE_URL"],
        ["OPENAI_BASE_URL"],
    ]
    assert injected(once, PLAIN).text == once


@pytest.mark.parametrize("indent", ["", "  "], ids=["flush", "indented"])
def test_lists_are_written_in_the_manner_of_the_file(indent: str) -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n"
        f"  {indent}- name: a\n  {indent}  env:\n  {indent}  {indent}- name: A\n"
    )

    assert f"\n  {indent}- name: llm-failover\n" in injected(text, PLAIN).text
    assert f"  {indent}  env:\n  {indent}  {indent}- name: OPENAI" in injected(text, PLAIN).text


# What cannot be


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n",
            "document 1 (Deployment web): spec: must be a mapping, got nothing",
        ),
        (
            "a: 1\n---\napiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: {}}}\n",
            "document 2 (Deployment): spec.template.spec.containers: must have at least one "
            "container, got nothing",
        ),
        (
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]\n",
            "document 1 (List): items[0].spec: must be a mapping, got nothing",
        ),
        ("a: 1\n---\nb: 1\nb: 2\n", 'document 2: line 4, column 1: found duplicate key "b"'),
        ("---\na: 1\n---\n# one\na: [\n", "document 2: line 6, column 1: expected the node"),
        ("a: &x 1\nb: *y\n", "document 1: line 2, column 4: found undefined alias 'y'"),
        ("a: \x00\n", "document 1: "),
    ],
    ids=["no spec", "no containers", "in a list", "a key twice", "torn", "no anchor", "no text"],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str) -> None:
    with pytest.raises(Unreadable) as error:
        injected(text, PLAIN)

    assert str(error.value).startswith(said)


# The command


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_a_file_goes_to_standard_output(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)

    assert run("inject", "-f", str(file), "--image", IMAGE) == 0
    assert capsys.readouterr() == (injected(SHOP, PLAIN).text, "")
    assert file.read_text() == SHOP


def test_the_way_back_needs_no_image(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(injected(SHOP, PLAIN).text)

    assert run("inject", "-f", str(file), "--uninject") == 0
    assert capsys.readouterr().out == SHOP


def test_options_say_what_is_different(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(WORKLOADS["Pod"])
    options = ("--port", "9000", "--secret", "keys", "--config-map", "chains", "--dummy-api-key")

    run("inject", "-f", str(file), "--image", "x:1", *options)

    (found,) = loaded(capsys.readouterr().out)
    (sidecar,) = found["spec"]["initContainers"]
    assert sidecar["envFrom"][0]["secretRef"]["name"] == "keys"
    assert found["spec"]["volumes"][0]["configMap"]["name"] == "chains"
    assert found["spec"]["containers"][0]["env"] == [
        {"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:9000/v1"},
        {"name": "OPENAI_API_KEY", "value": "unused-by-sidecar"},
    ]


def test_who_is_left_alone_is_told_of(tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text(f"apiVersion: v1\nkind: Pod\nspec: {{hostNetwork: true, {POD}}}\n")

    assert run("inject", "-f", str(file), "--image", "x:1") == 0
    out, told = capsys.readouterr()
    assert out == file.read_text()
    assert told == (
        f"{file}: document 1 (Pod): left alone: it uses the host's network, where the ports of "
        "pods would collide\n"
    )


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"a: [", 2, "document 1: line 1, column 5: "),
        (b"\xff", 1, "must be UTF-8"),
        (None, 1, "No such file or directory"),
    ],
    ids=["torn", "no text", "no file"],
)
def test_what_cannot_be_read_is_told_with_its_file(
    content: bytes | None, code: int, said: str, tmp_path: Path, capsys: Capture
) -> None:
    file = tmp_path / "some.yaml"
    if content is not None:
        file.write_bytes(content)

    assert run("inject", "-f", str(file), "--image", "x:1") == code
    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith(f"sidecar: {file}: {said}")


def test_a_port_that_cannot_be_is_told_of(capsys: Capture) -> None:
    assert run("inject", "-f", "-", "--image", "x:1", "--port", "9464") == 2
    assert capsys.readouterr().err == (
        "sidecar: --port: must be from 1 to 65535 and not 9464, got 9464\n"
    )


# What the library costs, only who asks for it pays


def test_who_serves_does_not_load_it() -> None:
    words = "import sys, sidecar.cli, sidecar.serving; print(*sys.modules, sep='\\n')"
    told = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", words], check=True, capture_output=True, text=True
    ).stdout

    assert "\nsidecar.serving\n" in told
    assert "ruamel" not in told
    assert "sidecar.kubernetes" not in told


def test_who_has_it_not_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delitem(sys.modules, "sidecar.kubernetes.manifests")
    monkeypatch.setitem(sys.modules, "ruamel.yaml", None)

    assert run("inject", "-f", "-", "--image", "x:1") == 1
    assert capsys.readouterr().err == (
        "sidecar: inject needs ruamel.yaml: pip install llm-failover-sidecar[kubernetes]\n"
    )
