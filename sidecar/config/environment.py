"""The environment: a start without a file, and the variables that override any start.

Both come to nodes like those of a file, whose place is the variable: so one set of rules and
messages serves both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sidecar.config import gateway
from sidecar.config.document import Node
from sidecar.config.problem import ConfigError, Place, Problem, shortened
from sidecar.dialects.presets import PRESETS, Preset

SOURCE = "environment"

OVERRIDES = {
    "SIDECAR_STORE": ("store",),
    "SIDECAR_LISTEN": ("listen",),
    "SIDECAR_ADMIN": ("admin",),
    "SIDECAR_ADMIN_TOKEN": ("admin_token",),
    "SIDECAR_LOG_LEVEL": ("log", "level"),
}
BREAKER = {
    "CIRCUIT_BREAKER_FAILURE_THRESHOLD": "failure_threshold",
    "CIRCUIT_BREAKER_SUCCESS_THRESHOLD": "success_threshold",
    "CIRCUIT_BREAKER_OPEN_TIMEOUT": "open_timeout",
}
FIRST = "gemini"
FALLBACKS = "gemini,huggingface,anthropic"
UNKNOWN = Preset(base_url=None)  # of a kind that there is not, which is reported later


def overridden(root: Node, environ: Mapping[str, str]) -> Node:
    """`root` with the values of the overriding variables in place of its own."""
    for variable, path in OVERRIDES.items():
        if environ.get(variable):
            root = _with(root, path, _written(variable, environ[variable]))
    return root


def _with(node: Node, path: tuple[str, ...], value: Node) -> Node:
    if not path:
        return value
    content = {} if node.content is None else node.content
    if not isinstance(content, dict):
        return node  # wrong as it is, and reported as such
    below = _with(content.get(path[0], Node(value.place, None)), path[1:], value)
    return replace(node, content=content | {path[0]: below}, shown="a mapping")


def from_environment(environ: Mapping[str, str]) -> tuple[Node, tuple[str, ...]]:
    """A configuration with one route for all models, and warnings about what it leaves out.

    Raises `ConfigError` where no provider is left.
    """
    wanted = _wanted(environ)
    reasons = {kind: _reason_to_leave_out(kind, environ) for kind in wanted}
    warnings = tuple(f"{kind} is left out: {reason}" for kind, reason in reasons.items() if reason)
    chain = {kind: wanted[kind] for kind, reason in reasons.items() if not reason}
    if not chain:
        what = "; ".join(("no provider can be asked", *warnings))
        raise ConfigError([Problem(place=Place(SOURCE), what=what)])
    in_part = gateway.warnings(environ, used=_own_variables(chain))
    return _root(chain, environ), (*warnings, *in_part)


def _root(kinds: Mapping[str, str], environ: Mapping[str, str]) -> Node:
    """The whole configuration. `kinds` is the chain, each with the variable that names it."""
    providers = {kind: _provider(kind, variable, environ) for kind, variable in kinds.items()}
    route = _mapping(models=_list(_written(SOURCE, "*")), chain=_chain(kinds, environ))
    return _mapping(
        providers=_mapping(**providers),
        routes=_list(route),
        breaker=_mapping(**_breaker(environ)),
    )


def _wanted(environ: Mapping[str, str]) -> dict[str, str]:
    """The kinds of the chain in their order, each with the variable that names it."""
    first = environ.get("AI_PROVIDER", "").strip() or FIRST
    fallbacks = (environ.get("AI_FALLBACK_PROVIDERS") or FALLBACKS).split(",")
    named = {kind.strip(): "AI_FALLBACK_PROVIDERS" for kind in fallbacks if kind.strip()}
    return {first: "AI_PROVIDER"} | {kind: name for kind, name in named.items() if kind != first}


def _reason_to_leave_out(kind: str, environ: Mapping[str, str]) -> str:
    preset = PRESETS.get(kind, UNKNOWN)
    if preset.credential != "key" or _goes_through_gateway(preset, environ):
        return ""  # a cloud has credentials of its own, and the gateway may keep the keys
    key_env = preset.key_env
    return f"{key_env} is not set" if key_env and not environ.get(key_env, "").strip() else ""


def _goes_through_gateway(preset: Preset, environ: Mapping[str, str]) -> bool:
    return bool(preset.gateway) and gateway.is_complete(environ)


def _provider(kind: str, variable: str, environ: Mapping[str, str]) -> Node:
    preset = PRESETS.get(kind, UNKNOWN)
    content = {"kind": _written(variable, kind)}
    if environ.get(preset.key_env, "").strip():
        content["api_key"] = _written(preset.key_env, environ[preset.key_env])
    if _goes_through_gateway(preset, environ):
        address = gateway.address(environ, preset.gateway)
        token = _written(gateway.TOKEN, f"Bearer {environ[gateway.TOKEN].strip()}")
        content["base_url"] = _written(gateway.GATEWAY, address)
        content["headers"] = _mapping(**{gateway.AUTHORIZATION: token})
    return _mapping(**content)


def _own_variables(kinds: Iterable[str]) -> set[str]:
    """The variables that these providers need themselves."""
    presets = [PRESETS.get(kind, UNKNOWN) for kind in kinds]
    own = {variable.env for preset in presets for variable in preset.variables.values()}
    return own | {preset.key_env for preset in presets}


def _chain(kinds: Iterable[str], environ: Mapping[str, str]) -> Node:
    models = {kind: preset.model for kind, preset in PRESETS.items()}
    if environ.get("AI_MODEL"):
        models[next(iter(_wanted(environ)))] = environ["AI_MODEL"]
    return _list(*(_entry(kind, models.get(kind)) for kind in kinds))


def _entry(kind: str, model: str | None) -> Node:
    asked = {"model": _written("AI_MODEL", model)} if model else {}
    return _mapping(provider=_written(SOURCE, kind), **asked)


def _breaker(environ: Mapping[str, str]) -> dict[str, Node]:
    given = {variable: environ.get(variable, "").strip() for variable in BREAKER}
    return {
        BREAKER[variable]: replace(_written(variable, text), content=_number(variable, text))
        for variable, text in given.items()
        if text
    }


def _number(variable: str, text: str) -> int | str:
    if not (text.isascii() and text.isdecimal()):
        return text
    return f"{text}ms" if variable == "CIRCUIT_BREAKER_OPEN_TIMEOUT" else int(text)


def _written(variable: str, text: str) -> Node:
    return Node(Place(variable), text, shortened(text))


def _mapping(**content: Node) -> Node:
    return Node(Place(SOURCE), content, "a mapping")


def _list(*items: Node) -> Node:
    return Node(Place(SOURCE), items, "a list")
