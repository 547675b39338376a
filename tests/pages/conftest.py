"""One browser for all stories of the page, and a page of its own for each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.pages.chromium import Tab, a_browser, a_tab


@pytest.fixture(scope="session")
def devtools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with a_browser(tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
async def tab(devtools: str) -> AsyncIterator[Tab]:
    async with a_tab(devtools) as one:
        yield one
