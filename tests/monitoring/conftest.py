"""The outage happens once, for all tests that look at what Prometheus saw of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.monitoring.outage import Told, run


@pytest.fixture(scope="session")
def told() -> Iterator[Told]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            yield runner.run(run(stack))
        finally:
            runner.run(stack.aclose())
