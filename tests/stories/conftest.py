"""Fixtures of the stories."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.stories.world import World, a_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as one:
        yield one
