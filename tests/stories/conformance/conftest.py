"""Chains of two providers that the tests of a module share: to start one takes its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest_asyncio

from tests.stories.conformance.applications import Chain, a_chain, forget
from tests.stories.desk import Desk


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chain() -> AsyncIterator[Chain]:
    """What gives a chain as `a_chain` makes it, with nothing left of the test before."""
    async with AsyncExitStack() as stack:
        desks: dict[str, Desk] = {}

        async def given(*kinds: str, **options: Any) -> Desk:
            name = f"{kinds} {options}"
            if name not in desks:
                desks[name] = await stack.enter_async_context(a_chain(*kinds, **options))
            await forget(desks[name])
            return desks[name]

        yield given
