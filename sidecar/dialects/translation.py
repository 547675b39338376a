"""Which two sides a call has: how the provider hears it, and what the application hears back."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sidecar.core.outcome import Endpoint
from sidecar.dialects.anthropic.native import NativeMessages
from sidecar.dialects.anthropic.side import AnthropicSide
from sidecar.dialects.dialect import ApplicationSide, Json, ProviderSide, Target, Untranslatable
from sidecar.dialects.messages.answer import MessagesForChat
from sidecar.dialects.messages.request import dropped_by as dropped_by_messages
from sidecar.dialects.messages.request import to_chat as messages_to_chat
from sidecar.dialects.openai_application import ChatApplication
from sidecar.dialects.openai_side import OpenAISide
from sidecar.dialects.responses.answer import ResponsesForChat
from sidecar.dialects.responses.native import NativeResponses
from sidecar.dialects.responses.request import dropped_by as dropped_by_responses
from sidecar.dialects.responses.request import to_chat as responses_to_chat
from sidecar.dialects.resumption import Resumed, Told, can_prefill, prefilled


class Asked(Protocol):
    """A call, as far as its words go. `body` are the bytes that `fields` were read from."""

    @property
    def endpoint(self) -> Endpoint:
        """Which part of the API it is for."""
        ...

    @property
    def fields(self) -> Json:
        """What it says."""
        ...

    @property
    def body(self) -> bytes:
        """The bytes of that."""
        ...

    @property
    def wants_usage(self) -> bool:
        """Whether a stream shall end with the tokens counted."""
        ...


class Translation(NamedTuple):
    """A call's words on the way to one provider and back.

    `dropped` are the fields that were lost on the way to chat, before the provider's side.
    """

    provider: ProviderSide
    application: ApplicationSide
    dropped: tuple[str, ...] = ()


def translate(asked: Asked, target: Target) -> Translation:
    """The two sides of a call to `target`. Raises `Untranslatable`."""
    return TRANSLATORS[asked.endpoint](asked, target)


def chat(asked: Asked, target: Target) -> Translation:
    """A chat completion."""
    application = ChatApplication(asked.endpoint, wants_usage=asked.wants_usage)
    return Translation(chat_side(asked.fields, target, asked.body), application)


def only_openai(asked: Asked, target: Target) -> Translation:
    """What has no likeness in other formats."""
    if target.preset.dialect != "openai":
        raise Untranslatable(f"The provider has no {asked.endpoint}.")
    provider = OpenAISide(asked.endpoint, asked.fields, target, asked.body)
    return Translation(provider, ChatApplication(asked.endpoint, wants_usage=asked.wants_usage))


def messages(asked: Asked, target: Target) -> Translation:
    """Anthropic's Messages: as they are to who has them, else through chat."""
    if target.preset.messages:
        native = NativeMessages(asked.fields, target)
        return Translation(native, native)
    provider = chat_side(messages_to_chat(asked.fields), target)
    application = MessagesForChat(asked.fields, target.seed)
    return Translation(provider, application, dropped_by_messages(asked.fields))


def responses(asked: Asked, target: Target) -> Translation:
    """OpenAI's Responses: as they are to who has them, else through chat."""
    if target.preset.responses and not target.lacks_responses:
        native = NativeResponses(asked.fields, target)
        return Translation(native, native)
    provider = chat_side(responses_to_chat(asked.fields), target)
    application = ResponsesForChat(asked.fields, target.provider, target.seed, target.created)
    return Translation(provider, application, dropped_by_responses(asked.fields))


def resume(asked: Asked, target: Target, told: Told, *, prefill: bool) -> Resumed:
    """A call to who goes on with what was `told` of its answer. Raises `Untranslatable`.

    Always through chat: only chunks can be gone on with, whatever else the provider speaks.
    `prefill`: it goes on with an answer that was begun for it. Where this call or its model does
    not let it, it answers from the start.
    """
    if asked.endpoint is Endpoint.COMPLETIONS:
        return Resumed(only_openai(asked, target).provider, told)
    as_chat = TO_CHAT.get(asked.endpoint)
    fields, body = (as_chat(asked.fields), b"") if as_chat else (asked.fields, asked.body)
    if prefill and can_prefill(fields, told, target):
        begun = prefilled(fields, told, target)
        if side := prefilled_side(begun, target):
            echo = begun["messages"][-1]["content"] if target.preset.prefill.echoes else ""
            return Resumed(side, told, prefilled=True, echo=echo)
    return Resumed(chat_side(fields, target, body), told)


def prefilled_side(fields: Json, target: Target) -> ProviderSide | None:
    """A chat request that begins the answer; `None` where the model would be asked otherwise."""
    side = chat_side(fields, target)
    return side if not isinstance(side, AnthropicSide) or side.begins_answer else None


def chat_side(fields: Json, target: Target, body: bytes = b"") -> ProviderSide:
    """A chat request as the provider hears it."""
    if target.preset.dialect == "anthropic":
        return AnthropicSide(fields, target)
    return OpenAISide(Endpoint.CHAT, fields, target, body)


TRANSLATORS = {
    Endpoint.CHAT: chat,
    Endpoint.COMPLETIONS: only_openai,
    Endpoint.EMBEDDINGS: only_openai,
    Endpoint.MESSAGES: messages,
    Endpoint.RESPONSES: responses,
}
TO_CHAT = {Endpoint.MESSAGES: messages_to_chat, Endpoint.RESPONSES: responses_to_chat}
