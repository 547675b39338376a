"""An answer on its way to the application; how one that broke ends."""

from __future__ import annotations

from aiohttp import hdrs, web
from multidict import CIMultiDict

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import RequestOutcome
from sidecar.proxy.answers import EVENT_STREAM, Whole
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.replies import cut
from sidecar.proxy.stream import Stream
from sidecar.proxy.wire import Answer


async def relay(
    exchange: Exchange, attempt: Attempt, answer: Whole | Stream | Answer
) -> web.StreamResponse:
    """Pass `answer` on. From here on there is no other provider."""
    exchange.code = attempt.status
    if isinstance(answer, Whole):
        return relay_whole(exchange, attempt, answer)
    if isinstance(answer, Stream):
        return await relay_stream(exchange, attempt, answer)
    return await relay_passed(exchange, attempt)


def relay_whole(exchange: Exchange, attempt: Attempt, answer: Whole) -> web.Response:
    """Pass on an answer that is all there."""
    attempt.succeed()
    exchange.outcome = exchange.served
    headers = answer_headers(exchange, attempt)
    if answer.content_type:
        headers[hdrs.CONTENT_TYPE] = answer.content_type
    return web.Response(status=answer.status, body=answer.body, headers=headers)


async def relay_stream(exchange: Exchange, attempt: Attempt, stream: Stream) -> web.StreamResponse:
    """Pass on a stream, event by event. One that breaks says so in band, and is never completed."""
    headers = answer_headers(exchange, attempt)
    headers[hdrs.CONTENT_TYPE] = EVENT_STREAM
    headers[hdrs.CACHE_CONTROL] = "no-cache"
    headers["X-Accel-Buffering"] = "no"  # nginx would hold the events back
    response = web.StreamResponse(headers=headers)
    await response.prepare(exchange.request)
    try:
        while data := await stream.read():
            await response.write(data)
        attempt.succeed()
        exchange.outcome = exchange.served
    except AnswerFailed as failed:
        attempt.break_off(failed)
        exchange.outcome = RequestOutcome.INTERRUPTED
        await response.write(stream.broken(failed))
    await response.write_eof()
    await attempt.finish()
    return response


async def relay_passed(exchange: Exchange, attempt: Attempt) -> web.StreamResponse:
    """Pass on a body unjudged. If it breaks, only a cut connection tells that this is not all."""
    response = web.StreamResponse(status=attempt.status, headers=answer_headers(exchange, attempt))
    response.content_length = attempt.length
    await response.prepare(exchange.request)
    try:
        async for piece in attempt.pieces():
            await response.write(piece)
    except AnswerFailed as failed:
        attempt.break_off(failed)
        exchange.outcome = RequestOutcome.INTERRUPTED
        cut(exchange.request)
        return response
    attempt.succeed()
    exchange.outcome = exchange.served
    await response.write_eof()
    return response


def answer_headers(exchange: Exchange, attempt: Attempt) -> CIMultiDict[str]:
    """The provider's headers that may pass, and ours."""
    headers = CIMultiDict(attempt.headers())
    headers.update(exchange.headers())
    return headers
