"""What providers say where their codes say nothing, or not enough: phrases, and what they mean."""

from __future__ import annotations

import re

from sidecar.core.objection import (
    REFUSED_FIELD,
    REFUSED_VALUE,
    TOO_LONG_AN_ANSWER,
    TOO_LONG_FOR_GOOGLE,
)
from sidecar.core.outcome import Outcome

Phrases = tuple[tuple[re.Pattern[str], Outcome], ...]

# A model's name: quoted, or with something in it that no other word has.
MODEL_NAME = r"(?:['\"`]\S{1,150}['\"`]|(?=\S{0,150}[-/.:0-9])\S{1,150})"


def phrases(*rows: tuple[str, Outcome]) -> Phrases:
    """Patterns in any case of letters; the first that is found wins."""
    return tuple((re.compile(pattern, re.IGNORECASE), outcome) for pattern, outcome in rows)


# So plain that the code beside it, which says something else, is mistaken.
BEFORE_WORDS = phrases(
    ("cors requests are not allowed", Outcome.BAD_REQUEST),  # comes as a bad key
    ("request too large for ", Outcome.TOO_LARGE),  # comes as a rate limit that never ends
    ("api key was reported as leaked", Outcome.AUTH),
)
OF_A_PROVIDER = phrases(
    (
        r"maximum context length|maximum prompt length is|(prompt|input) is too long"
        r"|exceeds? (the|this model's) (context window|context limit|available context size)"
        r"|exceed context limit|exceeds the maximum number of tokens allowed"
        r"|longer than the model's context length|current length is \d+ while limit is"
        r"|`inputs` tokens \+ `max_new_tokens` must be|`inputs` must have less than",
        Outcome.CONTEXT_LENGTH,
    ),
    (
        r"credit balance is too low|(depleted|exceeded) your monthly included credits"
        r"|insufficient (balance|credits|funds)"
        r"|reached (your|its) .{0,40}(usage|spend(ing)?) limit",
        Outcome.QUOTA_EXHAUSTED,
    ),
    (
        r"content filtering policy|content management policy|violat\w+ our usage polic",
        Outcome.CONTENT_FILTER,
    ),
    (r"api key not valid|api key expired|(invalid|incorrect) api key", Outcome.AUTH),
    (
        r"country, region, or territory not supported|location is not supported for the api"
        r"|free tier is not available",
        Outcome.FORBIDDEN,
    ),
    (r"is currently loading|loading model|is warming up", Outcome.WARMING),
    (r"is (currently )?overloaded|tier capacity exceeded|is at capacity", Outcome.OVERLOADED),
    (
        rf"^model: \S+$|models?[ /]{MODEL_NAME} (does not exist|(is |was )?not found)"
        r"|model (not exist|not found|has been decommissioned)|no such model"
        r"|not supported by (any )?provider|not a valid model id|no endpoints found for \S+/",
        Outcome.MODEL_MISSING,
    ),
    (  # one model's chat template, that of another may be less strict
        r"conversation roles must alternate|jinja exception|template error"
        r"|system role (is )?not supported|only user and assistant roles are supported",
        Outcome.BAD_REQUEST,
    ),
    (
        "function calling with a response mime type"
        "|no endpoints found (that support|matching)",  # OpenRouter: not with what is asked for
        Outcome.UNSUPPORTED_PARAM,
    ),
    # OpenAI: an item, response or conversation that the request goes on with
    (rf"(?<!model )with id {MODEL_NAME} (was )?not found", Outcome.BAD_REQUEST),
)
OF_A_REQUEST: Phrases = tuple(
    (pattern, Outcome.UNSUPPORTED_PARAM)
    for pattern in (REFUSED_FIELD, REFUSED_VALUE, TOO_LONG_AN_ANSWER, TOO_LONG_FOR_GOOGLE)
)
AFTER_WORDS = OF_A_PROVIDER + OF_A_REQUEST
