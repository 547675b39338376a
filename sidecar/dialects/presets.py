"""What each kind of provider is: data, no code. A new OpenAI-compatible kind is one line here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from sidecar.core.capability import Capability
from sidecar.dialects import deviations
from sidecar.dialects.deviations import Prefill, Quirks


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A `{name}` of a preset's address or headers: the environment variable for it, and a default.

    `forms` are what stands there instead of certain values; `*` is for all others, `{}` the value.
    """

    env: str
    default: str = ""
    forms: dict[str, str] = field(default_factory=dict)

    def spelt(self, value: str) -> str:
        """What stands there for `value`."""
        return self.forms.get(value, self.forms.get("*", "{}")).replace("{}", value)


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
    `gateway` is where Cloudflare's AI gateway has it (empty: nowhere). `wants_back` is the vendor
    who wants back what came with its tool calls: Google its signatures, DeepSeek its thoughts.
    `prefill` is how it goes on with an answer that was begun for it.
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
    wants_back: Literal["", "google", "deepseek"] = ""
    quirks: Quirks = field(default_factory=Quirks)
    prefill: Prefill = field(default_factory=Prefill)
    cannot: frozenset[Capability] = frozenset()

    @property
    def beyond(self) -> frozenset[Capability]:
        """What it cannot do: without Responses of its own also what only these can."""
        return self.cannot if self.responses else self.cannot | {Capability.RESPONSES}


# It serves Responses, and forgets each one when it is told.
STATELESS = frozenset((Capability.RESPONSES,))

CLOUDFLARE = Preset(
    base_url="https://api.cloudflare.com/client/v4/accounts/{account}/ai/v1",
    key_env="CLOUDFLARE_API_TOKEN",
    variables={
        "account": Variable(env="CLOUDFLARE_ACCOUNT_ID"),
        "gateway": Variable(env="CLOUDFLARE_GATEWAY_ID", default="default"),
    },
    headers=(  # its own retries would multiply ours, and its cache hide an outage
        ("cf-aig-max-attempts", "1"),
        ("cf-aig-skip-cache", "true"),
        ("cf-aig-gateway-id", "{gateway}"),
    ),
    responses=True,
    messages=True,
    wants_back="google",
    quirks=deviations.CLOUDFLARE,
    cannot=frozenset((Capability.COMPLETIONS,)),
)
AZURE = Preset(
    base_url="https://{resource}.openai.azure.com/openai/v1",
    key_env="AZURE_OPENAI_API_KEY",
    auth_header="api-key",
    auth_scheme="",
    variables={"resource": Variable(env="AZURE_OPENAI_RESOURCE")},
    openai_headers=True,
    responses=True,
    quirks=deviations.AZURE,
    cannot=frozenset((Capability.PDF,)),
)


PRESETS: dict[str, Preset] = {
    "openai": Preset(
        base_url="https://api.openai.com/v1",
        key_env="OPENAI_API_KEY",
        model="gpt-5-mini",
        key_required=False,  # also the kind of every local server that speaks OpenAI
        openai_headers=True,
        responses=True,
        gateway="openai",
        quirks=deviations.AS_OPENAI,
    ),
    "azure": AZURE,
    "azure-deployments": replace(
        AZURE,
        base_url="https://{resource}.openai.azure.com/openai",
        variables=AZURE.variables
        | {"version": Variable(env="OPENAI_API_VERSION", default="2024-10-21")},
        path="/deployments/{model}",
        query="api-version={version}",
        responses=False,
    ),
    "gemini": Preset(
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
        key_env="GEMINI_API_KEY",
        model="gemini-3-flash",
        gateway="google-ai-studio/v1beta/openai",
        wants_back="google",
        quirks=deviations.GOOGLE,
        cannot=frozenset((Capability.COMPLETIONS,)),
    ),
    "vertex": Preset(
        base_url="https://{host}/v1/projects/{project}/locations/{location}/endpoints/openapi",
        model="google/gemini-3-flash",
        credential="google",
        key_required=False,
        variables={
            "project": Variable(env="GOOGLE_CLOUD_PROJECT"),
            "location": Variable(env="GOOGLE_CLOUD_LOCATION", default="global"),
            "host": Variable(
                env="GOOGLE_CLOUD_LOCATION",
                default="global",
                forms={
                    "global": "aiplatform.googleapis.com",
                    **dict.fromkeys(("eu", "us"), "aiplatform.{}.rep.googleapis.com"),
                    "*": "{}-aiplatform.googleapis.com",
                },
            ),
        },
        wants_back="google",
        quirks=deviations.GOOGLE,
        cannot=frozenset((Capability.AUDIO, Capability.COMPLETIONS, Capability.PDF)),
    ),
    "huggingface": Preset(
        base_url="https://router.huggingface.co/v1",
        key_env="HF_TOKEN",
        model="meta-llama/Llama-3.3-70B-Instruct",
        responses=True,
        quirks=deviations.HUGGINGFACE,
        cannot=frozenset((Capability.COMPLETIONS, Capability.EMBEDDINGS, *STATELESS)),
    ),
    "anthropic": Preset(
        base_url="https://api.anthropic.com/v1",
        dialect="anthropic",
        key_env="ANTHROPIC_API_KEY",
        model="claude-haiku-5-5",
        auth_header="x-api-key",
        auth_scheme="",
        messages=True,
        gateway="anthropic/v1",
        cannot=frozenset(
            (
                *(Capability.AUDIO, Capability.CHOICES),
                *(Capability.COMPLETIONS, Capability.EMBEDDINGS),
            )
        ),
    ),
    "bedrock": Preset(
        base_url="https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        key_env="AWS_BEARER_TOKEN_BEDROCK",
        credential="aws",
        key_required=False,
        variables={"region": Variable(env="AWS_REGION")},
        responses=True,
        quirks=deviations.AS_OPENAI,
    ),
    "cloudflare": CLOUDFLARE,
    "cloudflare-compat": replace(
        CLOUDFLARE,
        base_url="https://gateway.ai.cloudflare.com/v1/{account}/{gateway}/compat",
        auth_header="cf-aig-authorization",  # the vendors' keys are stored with the gateway
        headers=CLOUDFLARE.headers[:2],
        responses=False,
        messages=False,
    ),
    "openrouter": Preset(
        base_url="https://openrouter.ai/api/v1",
        key_env="OPENROUTER_API_KEY",
        responses=True,
        gateway="openrouter/v1",
        quirks=deviations.OPENROUTER,
        cannot=STATELESS,
    ),
    "groq": Preset(
        base_url="https://api.groq.com/openai/v1",
        key_env="GROQ_API_KEY",
        model="llama-3.3-70b-versatile",
        responses=True,
        gateway="groq",
        quirks=deviations.GROQ,
        cannot=frozenset(
            (
                *(Capability.AUDIO, Capability.PDF, Capability.CHOICES),
                *(Capability.COMPLETIONS, Capability.EMBEDDINGS),
            )
        ),
    ),
    "mistral": Preset(
        base_url="https://api.mistral.ai/v1",
        key_env="MISTRAL_API_KEY",
        model="mistral-large-latest",
        gateway="mistral/v1",
        quirks=deviations.MISTRAL,
        prefill=deviations.MISTRAL_PREFILL,
        cannot=frozenset((Capability.COMPLETIONS, Capability.PDF)),
    ),
    "deepseek": Preset(
        base_url="https://api.deepseek.com/v1",
        key_env="DEEPSEEK_API_KEY",
        model="deepseek-chat",
        responses=True,
        gateway="deepseek",
        wants_back="deepseek",
        quirks=deviations.DEEPSEEK,
        cannot=frozenset(
            (
                *(Capability.IMAGES, Capability.AUDIO, Capability.PDF, Capability.JSON_SCHEMA),
                *(Capability.CHOICES, Capability.COMPLETIONS, Capability.EMBEDDINGS),
                *STATELESS,
            )
        ),
    ),
    "together": Preset(
        base_url="https://api.together.xyz/v1", key_env="TOGETHER_API_KEY", quirks=deviations.LOOSE
    ),
    "fireworks": Preset(
        base_url="https://api.fireworks.ai/inference/v1",
        key_env="FIREWORKS_API_KEY",
        quirks=deviations.LOOSE,
    ),
    "xai": Preset(
        base_url="https://api.x.ai/v1",
        key_env="XAI_API_KEY",
        responses=True,
        gateway="grok/v1",
        quirks=deviations.XAI,
    ),
    "ollama": Preset(
        base_url="http://127.0.0.1:11434/v1",
        key_required=False,
        responses=True,
        quirks=deviations.OLLAMA,
        cannot=frozenset((Capability.CHOICES, Capability.PDF, *STATELESS)),
    ),
    "vllm": Preset(
        base_url="http://127.0.0.1:8000/v1",
        key_required=False,
        responses=True,
        quirks=deviations.TEMPLATED,
        prefill=deviations.VLLM_PREFILL,
    ),
    "llamacpp": Preset(
        base_url="http://127.0.0.1:8080/v1",
        key_required=False,
        responses=True,
        quirks=deviations.TEMPLATED,
        cannot=STATELESS,
    ),
}
