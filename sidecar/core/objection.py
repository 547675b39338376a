"""What a provider objects to in a request: a field that it refuses, or too long an answer.

There are as many sentences for it as providers. None of them is read where a code has said more.
What names a field opens the message: further on a provider may be repeating what was asked.
"""

from __future__ import annotations

import re

from sidecar.core.echo import before_input, without_quotes

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

# What may stand before an objection and still is none of the caller's words.
OPENING = r"\W*" + "".join(
    (
        # a dot stands in one part only, or `error.error.…` could be read in ever more ways
        r"(?:(?:json|error|(?:[a-z]{1,32}\.){0,3}[a-z]{1,64}error(?!\.)"
        r"|bad request|invalid request|malformed input request"
        r"|invalid json payload received|validation errors?|[0-9]{1,3})\W+)*",
        r"(?:additional properties are not allowed \(|[a-z_.]{1,64}\(\) got an "
        r"|(?:type': '\w{1,64}', ')?loc': |this model |model \S{1,128} "
        rf"|(?:the )?(?:{FIELD} )?)?{QUOTE}?",
    )
)
EXTRA_INPUT = rf"\('body', '{PATH}'\), 'msg': 'extra inputs"  # vLLM
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
            EXTRA_INPUT,
            rf"this {PATH} type is unavailable now",  # DeepSeek
        )
    ),
    TEXT_FLAGS,
)
# The field is taken, but not with this in it, or beside another: the next call may do better.
REFUSED_VALUE = re.compile(
    rf"unsupported value: {QUOTE}{PATH}{QUOTE} does not support"  # OpenAI
    rf"|(?:{QUOTE}\w{{1,128}}{QUOTE} )?and {QUOTE}{PATH}{QUOTE}"
    " cannot both be specified",  # Anthropic
    TEXT_FLAGS,
)
OBJECTION = re.compile(rf"{OPENING}(?:{REFUSED_FIELD.pattern}|{REFUSED_VALUE.pattern})", TEXT_FLAGS)
LISTED = re.compile(OPENING + EXTRA_INPUT, TEXT_FLAGS)
REFUSAL = re.compile(rf"{OPENING}(?:{REFUSED_FIELD.pattern})", TEXT_FLAGS)
ONLY_DEFAULT = "only the default"
CONDITION = re.compile(r" (?:when|while|if|unless) |\bwith (?:[^\s.]{1,64} ){1,3}is ")

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
GRANT_OPENING = re.compile(
    rf"\W*(?:{ANSWER_FIELD} is too large: [0-9]{{1,20}}\. this model |the "
    rf"|invalid {ANSWER_FIELD} value, the |(?:unable to submit request because )?it has a )?",
    TEXT_FLAGS,
)
AT_MOST = re.compile(r"less than or equal to ([0-9]{1,9})", TEXT_FLAGS)


def named_field(text: str) -> str | None:
    """The field of a request that `text` complains of; `None` also for what is deeper in one."""
    return named_by(OBJECTION.match(without_quotes(text)) or listed(text))


def listed(text: str) -> re.Match[str] | None:
    """vLLM's list of what is wrong, where that is all in quotes."""
    return LISTED.match(before_input(text))


def named_by(found: re.Match[str] | None) -> str | None:
    """The field of the request itself that was found."""
    return top_level(found[found.lastindex or 0]) if found else None


def top_level(path: str) -> str | None:
    """`path` as the name of a field of the request itself, if it is one."""
    name = HUMP.sub("_", path.rstrip(".")).lower()
    return name if NAME.fullmatch(name) else None


def refuses_field(text: str, name: str) -> bool:
    """Whether `text`, of an error about the field `name`, says that it is not taken at all."""
    own = without_quotes(text)
    if named_by(REFUSAL.match(own) or listed(text)) == name:
        return True
    return ONLY_DEFAULT in own.lower() or any(
        named_by(found) == name for found in REFUSED_FIELD.finditer(own)
    )


def is_conditional(text: str) -> bool:
    """Whether `text` says that it holds for some requests only."""
    return bool(CONDITION.search(text))


def granted_tokens(text: str) -> int | None:
    """The longest answer that is granted, where `text` opens with that a longer one was asked."""
    own = without_quotes(text)
    opening = GRANT_OPENING.match(own)
    start = opening.end() if opening else 0
    return ceiling(TOO_LONG_AN_ANSWER.match(own, start), TOO_LONG_FOR_GOOGLE.match(own, start))


def granted_for_field(text: str) -> int | None:
    """Likewise, of an error about the field: it may be said anywhere, and in other words."""
    own = without_quotes(text)
    found = TOO_LONG_AN_ANSWER.search(own) or AT_MOST.search(own)
    return ceiling(found, TOO_LONG_FOR_GOOGLE.search(own))


def ceiling(found: re.Match[str] | None, below: re.Match[str] | None) -> int | None:
    """The number that was found, or the last one below the other."""
    if found:
        return int(found[found.lastindex or 0])
    return int(below[1]) - 1 if below else None
