"""Which part of the API a request is for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import hdrs, web

from sidecar.core.outcome import Endpoint
from sidecar.proxy.call import Rejected, rejected

POST, GET = (hdrs.METH_POST,), (hdrs.METH_GET, hdrs.METH_HEAD)
COUNT_TOKENS = "/messages/count_tokens"


@dataclass(frozen=True, slots=True)
class Target:
    """What a path stands for. `path` is the one below the base URL, percent-encoded."""

    endpoint: Endpoint | None  # None: the sidecar's own, /healthz and /reset
    path: str
    methods: tuple[str, ...] = ()


CALLS = {
    "/chat/completions": Target(Endpoint.CHAT, "/chat/completions", POST),
    "/completions": Target(Endpoint.COMPLETIONS, "/completions", POST),
    "/embeddings": Target(Endpoint.EMBEDDINGS, "/embeddings", POST),
    "/responses": Target(Endpoint.RESPONSES, "/responses", POST),
    "/messages": Target(Endpoint.MESSAGES, "/messages", POST),
    COUNT_TOKENS: Target(Endpoint.PASSTHROUGH, COUNT_TOKENS, POST),
    "/models": Target(Endpoint.MODELS, "/models", GET),
}
NAMED = {
    **CALLS,
    **{f"/v1{path}": target for path, target in CALLS.items()},
    "/chat": CALLS["/chat/completions"],
    "/healthz": Target(None, "/healthz", GET),
    "/reset": Target(None, "/reset", POST),
}
MODEL_PREFIXES = ("/v1/models/", "/models/")
DOUBLED = ("/v1/v1/", "/v1//")  # the base URL ends with what the client adds
PASSED_PREFIXES = ("/v1/", "/responses/")


def find_target(request: web.BaseRequest) -> Target:
    """Say what `request` is for. Raises `Rejected` for what nobody serves."""
    if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
        raise rejected("WebSockets are not served here; use HTTP.", status=501)
    path, method = request.rel_url.raw_path, request.method
    target = NAMED.get(path) or NAMED.get(path.rstrip("/")) or find_open_ended(path)
    if target.methods and method not in target.methods:
        allowed = " or ".join(target.methods)
        refusal = rejected(f"{method} is not allowed on {path}; use {allowed}.", status=405)
        raise Rejected(refusal.refused, {hdrs.ALLOW: ", ".join(target.methods)})
    return target


def find_open_ended(path: str) -> Target:
    """Paths without number: one model, one response, or whatever else is below /v1."""
    if path.startswith(DOUBLED):
        raise rejected(f"Nothing is served at {path[:200]}: say /v1 once.", status=404)
    for prefix in MODEL_PREFIXES:
        if path.startswith(prefix):
            return Target(Endpoint.MODELS, f"/models/{path.removeprefix(prefix)}", GET)
    if path.startswith(PASSED_PREFIXES) and ".." not in unquote(path).split("/"):
        return Target(Endpoint.PASSTHROUGH, path.removeprefix("/v1"))
    raise rejected(f"Nothing is served at {path[:200]}.", status=404)


def speaks_messages(path: str) -> bool:
    """Whether who asks for `path` expects Anthropic's words."""
    return f"{path.removeprefix('/v1')}/".startswith("/messages/")
