"""An answer on its way to the application; how one that broke ends."""

from __future__ import annotations

from aiohttp import hdrs, web
from multidict import CIMultiDict

from sidecar.core.answer import AnswerFailed
from sidecar.core.outcome import RequestOutcome
from sidecar.proxy.answers import Whole
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.course import Course
from sidecar.proxy.exchange import Exchange
from sidecar.proxy.front import Front
from sidecar.proxy.passing import Passing
from sidecar.proxy.replies import cut
from sidecar.proxy.stream import Stream


async def relay(
    exchange: Exchange, course: Course, front: Front | None, attempt: Attempt
) -> web.StreamResponse | None:
    """Pass the answer of `attempt` on. `None`: it broke, and another provider may go on with it."""
    exchange.code = attempt.status
    if isinstance(attempt.answer, Whole):
        return await relay_whole(exchange, front, attempt, attempt.answer)
    if isinstance(attempt.answer, Stream) and front:
        return await relay_stream(exchange, course, front, attempt, attempt.answer)
    if attempt.passing is None:
        raise TypeError(f"relay: nothing to pass on, got {attempt.answer}")
    return await relay_passed(exchange, attempt, attempt.passing)


async def relay_whole(
    exchange: Exchange, front: Front | None, attempt: Attempt, whole: Whole
) -> web.StreamResponse:
    """Pass on an answer that is all there."""
    attempt.succeed()
    headers = answer_headers(exchange, attempt)
    if front:
        await front.open(headers)
        exchange.note_content()
        await front.write(front.untold() + whole.body)
        response = await front.end()
        exchange.outcome = exchange.served
        return response
    exchange.outcome = exchange.served
    if whole.content_type:
        headers[hdrs.CONTENT_TYPE] = whole.content_type
    return web.Response(status=whole.status, body=whole.body, headers=headers)


async def relay_stream(
    exchange: Exchange, course: Course, front: Front, attempt: Attempt, stream: Stream
) -> web.StreamResponse | None:
    """Pass on a stream, event by event. One that breaks says so in band, and is never completed."""
    await front.open(answer_headers(exchange, attempt))
    exchange.note_content()
    try:
        while data := await stream.read():
            await front.write(front.untold() + data if stream.ended else data)
        attempt.succeed()
        exchange.outcome = exchange.served
    except AnswerFailed as failed:
        attempt.break_off(failed)
        if course.goes_on(attempt, failed):
            return None
        exchange.outcome = RequestOutcome.INTERRUPTED
        first = course.broken.failed if course.broken else failed
        await front.write(front.untold() + stream.broken(first))
    response = await front.end()
    await attempt.finish()
    return response


async def relay_passed(
    exchange: Exchange, attempt: Attempt, passing: Passing
) -> web.StreamResponse:
    """Pass on a body unjudged. If it breaks, only a cut connection tells that this is not all."""
    response = web.StreamResponse(status=attempt.status, headers=answer_headers(exchange, attempt))
    response.content_length = passing.length
    await response.prepare(exchange.request)
    try:
        async for piece in passing.pieces():
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
