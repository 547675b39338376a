"""The same stories, told by every SDK, at every dialect."""

from __future__ import annotations

import anthropic
import openai
import pytest

from sidecar.core.policies import Timeouts
from sidecar.faults.answer import Answer
from tests.stories.agents import agent
from tests.stories.voices import VOICES, Reply, Results, Turn, User, Voice, Wish
from tests.stories.world import World, a_world

FAMILIES = {  # how a scripted provider of a kind behaves
    "openai": "openai",
    "gemini": "gemini",
    "huggingface": "openai",
    "anthropic": "anthropic",
    "cloudflare": "openai",
    "mistral": "openai",
    "groq": "openai",
}
KINDS = pytest.mark.parametrize("kind", FAMILIES)
SPOKEN = pytest.mark.parametrize("voice", VOICES.values(), ids=VOICES.keys())
WEATHER = User("How is the weather in Oslo and Rome?")
PATIENT = Timeouts()  # these stories are not about clocks
WEATHERS = {"Oslo": "cold", "Rome": "warm"}
FOUND = "Found: cold, warm."


async def ask(world: World, voice: Voice, *turns: Turn, **wishes: bool) -> Reply:
    return await voice.ask(world.api, Wish(turns=turns or (User("Say hello."),), **wishes))


@KINDS
@SPOKEN
async def test_text(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind}, timeouts=PATIENT) as world:
        assert await ask(world, voice) == Reply("Hello from first.")
        assert world.second.hits == 0


@KINDS
@SPOKEN
async def test_an_image(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind}, timeouts=PATIENT) as world:
        assert (await ask(world, voice, User("What is this?", image=True))).text
        assert "iVBORw0KGgo" in world.first.calls[-1].body.decode()


@KINDS
@SPOKEN
async def test_an_answer_in_json(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind}, timeouts=PATIENT) as world:
        world.first.answer = Answer(text='{"sum":4}')
        assert await ask(world, voice, User("2 + 2?"), schema=True) == Reply('{"sum":4}')
        assert '"sum"' in world.first.calls[-1].body.decode()


async def work(world: World, voice: Voice, *before: Turn) -> list[Turn]:
    """A whole agent loop after `before`: question, tool calls, what they found, answer."""
    turns = [*before, WEATHER]
    while (reply := await ask(world, voice, *turns, tools=True)).calls:
        found = {call.id: WEATHERS[str(call.arguments["city"])] for call in reply.calls}
        turns += [reply, Results(found)]
    return [*turns, reply]


@KINDS
@SPOKEN
async def test_tools_called_in_parallel_over_several_turns(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind}, timeouts=PATIENT) as world:
        world.first.plays(agent(FAMILIES[kind]))
        turns = await work(world, voice)

        assert len(turns) == 4
        assert turns[-1] == Reply(FOUND)
        assert world.second.hits == 0


@SPOKEN
async def test_an_agent_that_fails_over_amid_its_work_goes_on(voice: Voice) -> None:
    """Gemini calls the tools, Anthropic reads what they found and calls more, Gemini answers."""
    kinds = {"first": "gemini", "second": "anthropic"}
    async with a_world(kinds=kinds, timeouts=PATIENT) as world:
        gemini, claude = agent("gemini"), agent("anthropic")
        world.first.plays(gemini)
        world.second.plays(claude)
        turns = await work(world, voice)
        world.first.plays("status_503", gemini)
        turns = await work(world, voice, *turns)
        turns = await work(world, voice, *turns)

        assert [turn.text for turn in turns if isinstance(turn, Reply) and not turn.calls] == [
            *[FOUND] * 3
        ]
        assert world.second.hits >= 1


BROKEN = (openai.BadRequestError, anthropic.BadRequestError)


@KINDS
@SPOKEN
async def test_the_callers_own_error(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind, "second": kind}, timeouts=PATIENT) as world:
        world.first.plays("bad_messages")
        world.second.plays("bad_messages")
        with pytest.raises(BROKEN, match="Invalid messages"):
            await ask(world, voice)
        assert (world.first.hits, world.second.hits) == (1, 1)


DOWN = (openai.InternalServerError, anthropic.InternalServerError)


@KINDS
@SPOKEN
async def test_an_outage_of_everybody(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind, "second": kind}, timeouts=PATIENT) as world:
        world.first.plays("status_503")
        world.second.plays("status_500")
        with pytest.raises(DOWN, match="Every provider failed"):
            await ask(world, voice)
        assert (world.first.hits, world.second.hits) == (1, 1)


@KINDS
@SPOKEN
async def test_a_failover(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"second": kind}, timeouts=PATIENT) as world:
        world.first.plays("status_500")
        assert await ask(world, voice) == Reply("Hello from second.")


@KINDS
@pytest.mark.parametrize("voice", [v for k, v in VOICES.items() if "streamed" in k])
async def test_a_stream_that_breaks_says_so(kind: str, voice: Voice) -> None:
    async with a_world(kinds={"first": kind}, timeouts=PATIENT) as world:
        world.first.plays("end_after_words")
        with pytest.raises((openai.APIError, anthropic.APIError)):
            await ask(world, voice)
        assert world.second.hits == 0
