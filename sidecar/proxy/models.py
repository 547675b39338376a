"""The list of models: what the routes can be asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import orjson

from sidecar.core.settings import Route, Settings
from sidecar.proxy.call import no_such_model

OWNER = "llm-failover-sidecar"


def model_names(settings: Settings) -> list[str]:
    """The routes' exact names, then those of the chains' models that a route serves; each once."""
    served = (name for name in chain_models(settings.routes) if settings.route_for(name))
    return list(dict.fromkeys((*exact_names(settings.routes), *served)))


def exact_names(routes: tuple[Route, ...]) -> Iterator[str]:
    for route in routes:
        yield from (name for name in route.models if not any(sign in name for sign in "*?["))


def chain_models(routes: tuple[Route, ...]) -> Iterator[str]:
    for route in routes:
        yield from (entry.model for entry in route.chain if entry.model)


def models_body(settings: Settings, created: int) -> bytes:
    """The answer to `GET /v1/models`. `created` is Unix time."""
    data = [as_model(name, created) for name in model_names(settings)]
    return orjson.dumps({"object": "list", "data": data})


def model_body(settings: Settings, path: str, created: int) -> bytes:
    """The answer to `GET /v1/models/{id}`. Raises `Rejected` for a model that no route serves."""
    name = unquote(path.removeprefix("/models/"))
    if settings.route_for(name) is None:
        raise no_such_model(name)
    return orjson.dumps(as_model(name, created))


def as_model(name: str, created: int) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": OWNER}
