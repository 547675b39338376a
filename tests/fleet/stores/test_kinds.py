"""Which stores there are."""

from __future__ import annotations

import sys

import pytest

from sidecar.config.loading import read_settings
from sidecar.core.policies import Fleet
from sidecar.fleet.stores import KINDS, open_store
from sidecar.fleet.stores.etcd import EtcdStore
from sidecar.fleet.stores.memory import MemoryStore
from tests.fleet.scene import FakeClock

FILE = """
providers: {one: {kind: openai}}
routes: [{models: ["*"], chain: [one]}]
"""


def test_a_store_is_opened_by_the_scheme_of_its_url() -> None:
    assert isinstance(open_store("memory", Fleet(), FakeClock()), MemoryStore)


@pytest.mark.parametrize("scheme", ["etcd", "etcds"])
def test_etcd_is_opened_by_either_scheme(scheme: str) -> None:
    assert isinstance(open_store(f"{scheme}://h:2379", Fleet(), FakeClock()), EtcdStore)


def test_an_unknown_store_is_named_without_its_secrets() -> None:
    with pytest.raises(ValueError, match=r"must be one of memory, redis, .*, got other$"):
        open_store("other://user:secret@host", Fleet(), FakeClock())


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_knows_every_kind(kind: str) -> None:
    url = f"{kind}://host/service" if "sentinel" in kind else f"{kind}://host"
    url = kind if kind == "memory" else url

    assert read_settings(f"{FILE}store: {url}\n", "c.yaml", {}).store == url


def test_a_store_in_this_process_may_be_written_as_a_url() -> None:
    settings = read_settings(f"{FILE}store: memory://\n", "c.yaml", {})

    assert isinstance(open_store(settings.store, settings.fleet, FakeClock()), MemoryStore)


def test_without_its_package_redis_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sidecar.fleet.stores.redis", None)

    with pytest.raises(ValueError, match=r"needs `pip install llm-failover-sidecar\[redis\]`"):
        open_store("redis://localhost", Fleet(), FakeClock())
