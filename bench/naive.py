"""The proxy most people would write: what the sidecar is measured against.

naive.py PORT UPSTREAM...
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, web

WORTH_ANOTHER_UPSTREAM = {408, 409, 429, 500, 502, 503, 504}
UPSTREAMS = web.AppKey("upstreams", list[str])
SESSION = web.AppKey("session", ClientSession)


async def complete(request: web.Request) -> web.StreamResponse:
    """Ask one upstream after the other; the first good answer is the answer."""
    body = await request.json()
    refusal = web.json_response({"error": {"message": "no upstream answered"}}, status=502)
    for upstream in request.app[UPSTREAMS]:
        try:
            async with request.app[SESSION].post(
                f"{upstream}/chat/completions",
                json=body,
                headers={"Authorization": "Bearer sk-bench"},
            ) as answer:
                if answer.status in WORTH_ANOTHER_UPSTREAM:
                    refusal = web.json_response(await answer.json(), status=answer.status)
                elif body.get("stream"):
                    return await relay(request, answer)
                else:
                    return web.json_response(await answer.json(), status=answer.status)
        except ClientError:
            continue
    return refusal


async def relay(request: web.Request, answer: ClientResponse) -> web.StreamResponse:
    """Pass a streamed answer on as it comes."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    async for piece in answer.content.iter_any():
        await response.write(piece)
    await response.write_eof()
    return response


async def session(app: web.Application) -> AsyncIterator[None]:
    """One session for the life of the process."""
    async with ClientSession(timeout=ClientTimeout(total=None, sock_read=60)) as app[SESSION]:
        yield


def main() -> None:
    """Serve until stopped."""
    app = web.Application()
    app[UPSTREAMS] = sys.argv[2:]
    app.cleanup_ctx.append(session)
    app.router.add_post("/v1/chat/completions", complete)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
