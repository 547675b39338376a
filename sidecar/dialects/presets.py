"""What each kind of provider is: data, no code. A new OpenAI-compatible kind is one line here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sidecar.core.capability import Capability


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a kind deviates from OpenAI's chat completions, on the way out.

    `accepts` are the only request fields that it lets pass (`None`: whatever comes), `drops` those
    that it chokes on or misreads. `max_tokens` is the one name that it knows for the longest answer
    (empty: both). `asks_usage`: a stream counts its tokens where `stream_options` asks for it.
    `mends` name what else has to be done, functions of `quirks.py`.
    """

    accepts: frozenset[str] | None = None
    drops: frozenset[str] = frozenset()
    max_tokens: Literal["", "max_tokens", "max_completion_tokens"] = ""
    asks_usage: bool = True
    mends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A `{name}` of a preset's address: the environment variable that holds it, and its default."""

    env: str
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a kind of provider is reached, and what it is known to do and not to do.

    `base_url` holds everything before `/chat/completions`; `None` where only the operator can know
    it. `{name}` in it stands for one of `variables`. `path` comes between the two where the model
    is part of the address (`{model}`), `query` after them. The key goes into `auth_header`, after
    `auth_scheme`, unless `credential` says that a cloud's own tokens or signatures do. `key_env` is
    where a start without a file looks for the key, `model` what it asks for there. `headers` go
    with every request. `openai_headers` says that the `OpenAI-…` request headers mean something
    there. `responses` and `messages`: it serves OpenAI's Responses or Anthropic's Messages itself.
    `gateway` is where Cloudflare's AI gateway has it (empty: nowhere).
    """

    base_url: str | None
    dialect: Literal["openai", "anthropic"] = "openai"
    key_env: str = ""
    model: str | None = None
    auth_header: str = "Authorization"
    auth_scheme: str = "Bearer "
    credential: Literal["key", "google", "aws"] = "key"
    key_required: bool = True
    variables: dict[str, Variable] = field(default_factory=dict)
    path: str = ""
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    openai_headers: bool = False
    responses: bool = False
    messages: bool = False
    gateway: str = ""
    quirks: Quirks = field(default_factory=Quirks)
    cannot: frozenset[Capability] = frozenset()


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        model="gpt-5-mini",
        key_required=False,  # also the kind of every local server that speaks OpenAI
        openai_headers=True,
    ),
    "gemini": Preset(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        model="gemini-3-flash",
    ),
    "huggingface": Preset(
        base_url="https://router.huggingface.co/v1",
        key_env="HF_TOKEN",
        model="meta-llama/Llama-3.3-70B-Instruct",
    ),
    "ollama": Preset(base_url="http://127.0.0.1:11434/v1", key_required=False),
    "vllm": Preset(base_url="http://127.0.0.1:8000/v1", key_required=False),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1",
        key_env="OPENROUTER_API_KEY",
    ),
    "groq": Preset(
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        model="llama-3.3-70b-versatile",
    ),
    "mistral": Preset(
        base_url="https://api.mistral.ai/v1",
        key_env="MISTRAL_API_KEY",
        model="mistral-large-latest",
    ),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1",
        key_env="DEEPSEEK_API_KEY",
        model="deepseek-chat",
    ),
    "azure": Preset(  # https://{resource}.openai.azure.com/openai/v1
        base_url=None,
        key_env="AZURE_OPENAI_API_KEY",
        auth_header="api-key",
        auth_scheme="",
        openai_headers=True,
    ),
    "cloudflare": Preset(
        base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
        key_env="CLOUDFLARE_API_TOKEN",
        variables={"account": Variable(env="CLOUDFLARE_ACCOUNT_ID")},
    ),
}
