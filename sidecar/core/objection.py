"""What a provider objects to in a request: a field that it refuses, or too long an answer.

There are as many sentences for it as providers. None of them is read where a code has said more.
"""

from __future__ import annotations

import re

TEXT_FLAGS = re.ASCII | re.IGNORECASE
NAME = re.compile("[a-z_][a-z0-9_]{0,63}")
HUMP = re.compile("(?<=[a-z0-9])(?=[A-Z])")

QUOTE = r"['\"`]"
PATH = r"([\w.\[\]-]{1,128})"
SNAKE = r"\b([a-z]{1,32}(?:_[a-z]{1,32}){1,4})"
FIELD = r"(?:parameter|param|argument|field|property|key)s?"
NOT_TAKEN = (
    r"(?:(?:is|are|was|were) (?:not (?:currently |yet )?(?:supported|permitted|allowed)"
    r"|unsupported|deprecated|unexpected)|not supported)"
)
OF_OTHERS = r"(?<!model )(?<!role )(?<!type )(?<!value )(?<!format )"

# The group of each is what is refused, perhaps with the way to it: `tools[0].function.strict`.
REFUSED_FIELD = re.compile(
    "|".join(
        (
            r'unknown name "([^:]{1,128}?)"?: cannot find field',  # Google
            rf"unrecognized request {FIELD} supplied: {PATH}",  # OpenAI, Azure
            rf"(?:unsupported|unknown|unrecognized) {FIELD}(?:: ?{QUOTE}?| {QUOTE}){PATH}",
            rf"{PATH}: extra inputs are not permitted",  # Anthropic
            rf"{QUOTE}{PATH}{QUOTE} : {FIELD} ",  # Groq: what follows is in there
            rf"{OF_OTHERS}{QUOTE}{PATH}{QUOTE} {NOT_TAKEN}",
            rf"\b{FIELD} {PATH} {NOT_TAKEN}",
            rf"{SNAKE} {NOT_TAKEN}",
            rf"arguments? not supported[^:]{{0,40}}: {PATH}",  # xAI
            rf"does not support {FIELD}:? {QUOTE}?{PATH}",  # xAI
            rf"unexpected keyword argument {QUOTE}{PATH}",
            rf"extraneous key \[{PATH}\] is not permitted",  # Bedrock
            rf"\('body', '{PATH}'\), 'msg': 'extra inputs",  # vLLM
            rf"this {PATH} type is unavailable now",  # DeepSeek
        )
    ),
    TEXT_FLAGS,
)
# The field is taken, but not with this in it, or beside another: the next call may do better.
REFUSED_VALUE = re.compile(
    rf"unsupported value: {QUOTE}{PATH}{QUOTE} does not support"  # OpenAI
    rf"|and {QUOTE}{PATH}{QUOTE} cannot both be specified",  # Anthropic
    TEXT_FLAGS,
)
ONLY_DEFAULT = "only the default"

ANSWER_FIELD = r"max_?(?:completion_?|output_?|new_?)?tokens"
TOO_LONG_AN_ANSWER = re.compile(
    "|".join(
        (
            r"supports at most ([0-9]{1,9}) completion tokens",  # OpenAI
            rf"invalid '{ANSWER_FIELD}': .{{0,60}}expected a value <= ([0-9]{{1,9}})",  # OpenAI
            rf"{ANSWER_FIELD}: [0-9]+ > ([0-9]{{1,9}}), which is the maximum",  # Anthropic
            rf"(?<!\+ `){ANSWER_FIELD}{QUOTE}? must be (?:less than or equal to|at most|<=)"
            rf" {QUOTE}?([0-9]{{1,9}})",  # Groq; a sum with the prompt is about the window
            rf"valid range of {ANSWER_FIELD} is \[[0-9]+, ?([0-9]{{1,9}})\]",  # DeepSeek
            r"maximum tokens you requested exceeds the model limit of ([0-9]{1,9})",  # Bedrock
        )
    ),
    TEXT_FLAGS,
)
TOO_LONG_FOR_GOOGLE = re.compile(
    rf"{ANSWER_FIELD} value of .{{1,60}} to ([0-9]{{1,9}}) \(exclusive\)", TEXT_FLAGS
)
AT_MOST = re.compile(r"less than or equal to ([0-9]{1,9})", TEXT_FLAGS)


def named_field(text: str) -> str | None:
    """The field of a request that `text` complains of; `None` also for what is deeper in one."""
    found = REFUSED_FIELD.search(text) or REFUSED_VALUE.search(text)
    return top_level(found[found.lastindex or 0]) if found else None


def top_level(path: str) -> str | None:
    """`path` as the name of a field of the request itself, if it is one."""
    name = HUMP.sub("_", path.rstrip(".")).lower()
    return name if NAME.fullmatch(name) else None


def refuses_field(text: str) -> bool:
    """Whether `text` says that a field is not taken, whatever it holds."""
    return bool(REFUSED_FIELD.search(text)) or ONLY_DEFAULT in text.lower()


def granted_tokens(text: str) -> int | None:
    """The longest answer that is granted, where `text` says that a longer one was asked for."""
    if found := TOO_LONG_AN_ANSWER.search(text):
        return int(found[found.lastindex or 0])
    found = TOO_LONG_FOR_GOOGLE.search(text)
    return int(found[1]) - 1 if found else None
