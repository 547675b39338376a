"""How each kind of provider deviates from OpenAI in the requests that it takes: data, no code."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a kind deviates from OpenAI's chat completions, on the way out.

    `accepts` are the only request fields that it lets pass (`None`: whatever comes), `drops` those
    that it chokes on or misreads; `turns_accept` and `turns_drop` say the same of its messages.
    `at_most` are the largest numbers that it takes. `max_tokens` is the one name that it knows for
    the longest answer (empty: both). `asks_usage`: a stream counts its tokens where
    `stream_options` asks for it. `mends` name what else has to be done, functions of `quirks.py`.
    """

    accepts: frozenset[str] | None = None
    drops: frozenset[str] = frozenset()
    turns_accept: frozenset[str] | None = None
    turns_drop: frozenset[str] = frozenset()
    at_most: tuple[tuple[str, int], ...] = ()
    max_tokens: Literal["", "max_tokens", "max_completion_tokens"] = ""
    asks_usage: bool = True
    mends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """How a kind is told to go on with the assistant's message that a call ends with.

    `fields` say so in the request, `turn` in that message. `echoes`: the answer repeats it first.
    """

    fields: dict[str, object] = field(default_factory=dict)
    turn: dict[str, object] = field(default_factory=dict)
    echoes: bool = False


def names(text: str) -> frozenset[str]:
    """The words of `text`."""
    return frozenset(text.split())


# What one vendor signed is of no use to another, and some refuse whatever they do not know.
FOREIGN = names("extra_content")
THOUGHTS = names("reasoning reasoning_content reasoning_details")
# Of an account with OpenAI: who is strict refuses them, who is not has no use for them.
OPENAI_ONLY = names(
    "metadata moderation prediction prompt_cache_key prompt_cache_options prompt_cache_retention"
    " safety_identifier service_tier store verbosity web_search_options"
)
COMMON = names(
    "frequency_penalty max_completion_tokens max_tokens messages model n parallel_tool_calls"
    " presence_penalty reasoning_effort response_format seed stop stream temperature tool_choice"
    " tools top_p"
)
TURN = names("content role tool_call_id tool_calls")

AS_OPENAI = Quirks(turns_drop=FOREIGN)
GOOGLE = Quirks(
    accepts=COMMON
    | names("audio extra_body function_call functions logprobs modalities stream_options")
    | names("top_logprobs"),
    turns_accept=TURN | names("extra_content function_call name"),
    max_tokens="max_tokens",  # of which the other name is but an alias
    mends=(
        *("system_role", "allowed_tools", "plain_counting", "tools_before_format", "known_effort"),
        "signatures",
    ),
)
GROQ = Quirks(
    accepts=COMMON
    | names("citation_options compound_custom disable_tool_validation documents")
    | names("exclude_domains function_call functions include_domains include_reasoning")
    | names("reasoning_format search_settings service_tier stream_options user"),
    turns_accept=TURN | names("function_call reasoning"),
    turns_drop=FOREIGN,
    mends=("system_role", "allowed_tools"),
)
MISTRAL = Quirks(
    accepts=COMMON - names("seed")
    | names("guardrails metadata prediction prompt_cache_key prompt_mode random_seed safe_prompt"),
    turns_accept=TURN | names("prefix"),
    turns_drop=FOREIGN,
    max_tokens="max_tokens",
    asks_usage=False,
    mends=("system_role", "allowed_tools", "random_seed", "short_ids"),
)
DEEPSEEK = Quirks(
    turns_drop=FOREIGN | names("reasoning reasoning_details"),
    max_tokens="max_tokens",
    mends=("system_role", "allowed_tools", "thoughts", "free_choice"),
)
LOOSE = Quirks(  # open models behind a server that knows OpenAI's older names
    drops=OPENAI_ONLY,
    turns_drop=FOREIGN,
    max_tokens="max_tokens",
    mends=("system_role", "allowed_tools"),
)
TEMPLATED = replace(  # whose chat templates may insist on one system message and on alternation
    LOOSE, drops=frozenset(), mends=(*LOOSE.mends, "one_system", "alternation")
)
HUGGINGFACE = replace(LOOSE, turns_drop=FOREIGN | THOUGHTS, at_most=(("top_logprobs", 5),))
OPENROUTER = Quirks(  # the chain is ours: it shall not fail over by itself
    drops=names("models route"), turns_drop=FOREIGN, max_tokens="max_tokens"
)
XAI = Quirks(turns_drop=FOREIGN | names("reasoning_details"), mends=("allowed_tools",))
OLLAMA = replace(LOOSE, mends=(*LOOSE.mends, "loose_tools"))
AZURE = Quirks(turns_drop=FOREIGN | THOUGHTS)
CLOUDFLARE = Quirks(mends=("signatures",))

# vLLM begins another turn unless it is told (https://docs.vllm.ai, chat API, extra parameters);
# Mistral refuses a last message of the assistant that is not marked (https://docs.mistral.ai/api).
VLLM_PREFILL = Prefill(fields={"continue_final_message": True, "add_generation_prompt": False})
MISTRAL_PREFILL = Prefill(turn={"prefix": True}, echoes=True)
