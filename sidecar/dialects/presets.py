"""What each kind of provider is: data, no code. A new OpenAI-compatible kind is one line here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """How a kind of provider is reached.

    `base_url` holds everything before `/chat/completions`; `None` where only the operator can know
    it. `{account}` in it stands for `account_env`'s value. The key goes into `auth_header`, after
    `auth_scheme`. `key_env` is where a start without a file looks for the key, `model` what it
    asks for there. `openai_headers` says that the `OpenAI-…` request headers mean something there.
    """

    base_url: str | None
    key_env: str = ""
    model: str | None = None
    auth_header: str = "Authorization"
    auth_scheme: str = "Bearer "
    key_required: bool = True
    account_env: str = ""
    openai_headers: bool = False


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
        account_env="CLOUDFLARE_ACCOUNT_ID",
    ),
}
