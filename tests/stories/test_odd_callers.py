"""Whatever one caller sends, no provider is blamed for it, and nobody else suffers."""

from __future__ import annotations

import pytest

from sidecar.dialects.responses.ids import mint
from sidecar.faults.catalog import status
from sidecar.faults.refusals import openai
from tests.stories.world import World, a_world

JSON = {"content-type": "application/json"}
REFUSED = status(400, openai("Unknown parameter", "invalid_request_error", "unknown_parameter"))
MESSAGES = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","temperature":NaN,"messages":[]}',
        b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}',
    ],
    ids=["not a number", "half a character"],
)
async def test_json_that_only_the_lenient_read_opens_no_breaker(body: bytes) -> None:
    async with a_world() as world:
        world.first.plays(REFUSED)
        world.second.plays(REFUSED)
        url = f"{world.api}/v1/chat/completions"
        codes = [(await world.http.post(url, data=body, headers=JSON)).status for _ in range(4)]

        assert codes == [400] * 4
        assert await world.state_of("first") == "closed"


async def test_a_version_that_cannot_be_sent_opens_no_breaker() -> None:
    async with a_world(kinds={"first": "anthropic"}) as world:
        url = f"{world.api}/v1/messages"
        odd = {"anthropic-version": "2023-06-01\udcff"}
        answers = [await world.http.post(url, json=MESSAGES, headers=odd) for _ in range(4)]

        assert [answer.status for answer in answers] == [200] * 4
        assert world.first.calls[-1].headers["anthropic-version"] == "2023-06-01"


CANNOT = status(404, openai("No endpoints found that support image input", "not_found"))


async def responses(world: World) -> str:
    """Ask for a response; the path at which the first provider was asked last."""
    fields = {"model": "m", "input": "Hi"}
    await world.http.post(f"{world.api}/v1/responses", json=fields)
    return world.first.calls[-1].path


async def test_what_one_call_cannot_have_does_not_cost_the_others_their_responses() -> None:
    async with a_world() as world:
        world.first.plays(CANNOT, "ok")
        await responses(world)

        assert await responses(world) == "/v1/responses"


async def test_a_server_without_responses_is_asked_for_chat_from_then_on() -> None:
    async with a_world() as world:
        world.first.plays(status(404, openai("Not Found")), "ok")
        paths = [await responses(world), await responses(world)]

        assert paths == ["/v1/chat/completions"] * 2


@pytest.mark.parametrize("original", ["..", "../files", "%2e%2e", "a/b?c", "."])
async def test_an_id_leads_to_no_other_path_of_a_provider(original: str) -> None:
    given = mint("first", original).replace("%", "%25").replace("/", "%2F").replace("?", "%3F")
    async with a_world() as world:
        await world.http.get(f"{world.api}/v1/responses/{given}/input_items")

        assert [call.path for call in world.first.calls] == []
