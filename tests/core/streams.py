"""Streams as providers send them, well and badly formed, and what is to be read from each."""

from __future__ import annotations

from typing import NamedTuple

Read = tuple[bytes, bytes]  # the name and the data of an event


class Stream(NamedTuple):
    """`sent` is what arrives, `events` what is in it, `rest` what of it had no end."""

    sent: bytes
    events: tuple[Read, ...]
    rest: Read | None = None


def unnamed(*data: bytes) -> tuple[Read, ...]:
    """Events without a name."""
    return tuple((b"", one) for one in data)


def chunk(choice: bytes, more: bytes = b"") -> bytes:
    """A chat completion chunk with one choice."""
    head = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    return b'%b"choices":[%b]%b}' % (head, choice, more)


def plain(*data: bytes) -> bytes:
    """The usual form: one `data:` line and LF LF for each."""
    return b"".join(b"data: %b\n\n" % one for one in data)


DONE = b"[DONE]"
ROLE = chunk(b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}')
HELLO = chunk(b'{"index":0,"delta":{"content":"Hello"},"finish_reason":null}')
STOP = chunk(b'{"index":0,"delta":{},"finish_reason":"stop"}')
USAGE = chunk(b"", b',"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}')
CALL = (
    chunk(
        b'{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,'
        b'"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]}}'
    ),
    chunk(
        b'{"index":0,"delta":{"tool_calls":[{"index":0,'
        b'"function":{"arguments":"{\\"city\\":\\"Z\xc3\xbcrich\\"}"}}]}}'
    ),
    chunk(b'{"index":0,"delta":{},"finish_reason":"tool_calls"}'),
)
GEMINI = (
    chunk(
        b'{"delta":{"role":"assistant","tool_calls":[{"id":"","type":"function","function":'
        b'{"name":"weather","arguments":"{}"},"extra_content":{"google":'
        b'{"thought_signature":"c2ln"}}}]},"index":0}'
    ),
    chunk(b'{"delta":{"role":"assistant"},"finish_reason":"stop","index":0}'),
)
GEMINI_NATIVE = (
    b'{"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}]}',
    b'{"candidates":[{"content":{"parts":[{"text":"lo"}]},"finishReason":"STOP"}]}',
)
MULTIBYTE = chunk('{"index":0,"delta":{"content":"Grüße, 世界 👩🏽‍🚀 \u2028\u0085"}}'.encode())
ERROR = b'{"error":{"message":"The server had an error","type":"server_error","code":null}}'
ANTHROPIC: tuple[Read, ...] = (
    (b"message_start", b'{"type":"message_start","message":{"id":"msg_1","content":[]}      }'),
    (b"content_block_start", b'{"type":"content_block_start","index":0 }'),
    (b"ping", b'{"type": "ping"}'),
    (b"content_block_delta", b'{"type":"content_block_delta","delta":{"text":"Hello"}    }'),
    (b"message_stop", b'{"type":"message_stop"           }'),
)
ANTHROPIC_SENT = b"".join(b"event: %b\ndata: %b\n\n" % event for event in ANTHROPIC)

STREAMS: dict[str, Stream] = {
    "openai text": Stream(
        plain(ROLE, HELLO, STOP, DONE),
        unnamed(ROLE, HELLO, STOP, DONE),
    ),
    "openai tool call": Stream(
        plain(ROLE, *CALL, DONE),
        unnamed(ROLE, *CALL, DONE),
    ),
    "openai usage": Stream(
        plain(HELLO, STOP, USAGE, DONE),
        unnamed(HELLO, STOP, USAGE, DONE),
    ),
    "gemini, openai form": Stream(
        plain(*GEMINI, DONE),
        unnamed(*GEMINI, DONE),
    ),
    "gemini, own form, crlf": Stream(
        plain(*GEMINI_NATIVE).replace(b"\n", b"\r\n"),
        unnamed(*GEMINI_NATIVE),
    ),
    "anthropic, padded": Stream(ANTHROPIC_SENT, ANTHROPIC),
    "anthropic, crlf": Stream(ANTHROPIC_SENT.replace(b"\n", b"\r\n"), ANTHROPIC),
    "openrouter, processing": Stream(
        b": OPENROUTER PROCESSING\n\n" * 3 + plain(HELLO, DONE),
        unnamed(HELLO, DONE),
    ),
    "error in band": Stream(
        plain(HELLO, ERROR),
        unnamed(HELLO, ERROR),
    ),
    "error by name": Stream(
        plain(HELLO) + b"event: error\n" + plain(ERROR),
        (*unnamed(HELLO), (b"error", ERROR)),
    ),
    "cr only": Stream(
        plain(ROLE, HELLO, DONE).replace(b"\n", b"\r"),
        unnamed(ROLE, HELLO, DONE),
    ),
    "mixed line ends": Stream(
        b"data: 1\r\n\ndata: 2\n\r\ndata: 3\r\rdata: 4\r\n\rdata: 5\n\r\r\n\n",
        unnamed(b"1", b"2", b"3", b"4", b"5"),
    ),
    "a mixed event": Stream(
        b"event: e\rdata: 1\r\ndata: 2\ndata: 3\r\r\n",
        ((b"e", b"1\n2\n3"),),
    ),
    "bom": Stream(
        b"\xef\xbb\xbf" + plain(HELLO, DONE),
        unnamed(HELLO, DONE),
    ),
    "second bom": Stream(
        b"\xef\xbb\xbf\xef\xbb\xbf" + plain(HELLO, DONE),
        unnamed(DONE),
    ),
    "late bom": Stream(
        plain(HELLO) + b"\xef\xbb\xbf" + plain(STOP, DONE),
        unnamed(HELLO, DONE),
    ),
    "bom alone": Stream(b"\xef\xbb\xbf", ()),
    "half a bom": Stream(b"\xef\xbb", ()),
    "utf-8 of many bytes": Stream(plain(MULTIBYTE, DONE), unnamed(MULTIBYTE, DONE)),
    "not utf-8": Stream(plain(b"\xff\xfe\xc3"), unnamed(b"\xff\xfe\xc3")),
    "comments between": Stream(
        b": a\n:\n:b\n\n" + plain(HELLO) + b": c\ndata: 1\n: d\n\n:e",
        unnamed(HELLO, b"1"),
    ),
    "comment without a blank line": Stream(b": a\n: b\n", ()),
    "several data lines": Stream(
        b'data: {"a":\ndata:  1,\ndata:\ndata: "b": 2}\n\n',
        unnamed(b'{"a":\n 1,\n\n"b": 2}'),
    ),
    "no space": Stream(
        b"data:1\n\nevent:e\ndata:2\n\ndata:  3\n\n",
        ((b"", b"1"), (b"e", b"2"), (b"", b" 3")),
    ),
    "field without a colon": Stream(
        b"data: 1\ndata\n\nevent: e\nevent\ndata: 2\n\ndata\n\n",
        unnamed(b"1\n", b"2"),
    ),
    "retry": Stream(b"retry: 3000\n\n" + plain(HELLO), unnamed(HELLO)),
    "name without data": Stream(b"event: ping\n\n" + plain(HELLO), unnamed(HELLO)),
    "blank data": Stream(
        b"data:\n\ndata: \n\ndata:  \t \n\ndata\ndata\n\n" + plain(HELLO),
        unnamed(HELLO),
    ),
    "plain blank data": Stream(plain(HELLO, b"", b"  ", STOP), unnamed(HELLO, STOP)),
    "blank data with a name": Stream(
        b"event: ping\ndata:\n\n" + plain(HELLO),
        unnamed(HELLO),
    ),
    "id, then blank lines": Stream(
        b"id: 1\n" + plain(HELLO) + b"\n\n\n" + plain(DONE),
        unnamed(HELLO, DONE),
    ),
    "id and retry beside data": Stream(
        b"id: 7\nretry: 10\ndata: 1\n\ndata: 2\nid: 8\n\n",
        unnamed(b"1", b"2"),
    ),
    "unknown fields": Stream(
        b'{"choices":[]}\ndatum: 0\nDATA: 0\n data: 0\nevents: e\ndata : 0\ndata: 1\n\n',
        unnamed(b"1"),
    ),
    "last name wins": Stream(b"event: a\nevent: b\ndata: 1\n\n", ((b"b", b"1"),)),
    "colons in the value": Stream(b"data:: a: b\n\n", unnamed(b": a: b")),
    "nul and control characters": Stream(
        b"data: \x00\x0b\x0c\x1c\x1d\x85a\n\n",
        unnamed(b"\x00\x0b\x0c\x1c\x1d\x85a"),
    ),
    "done with a tail": Stream(plain(b"[DONE] trailing"), unnamed(b"[DONE] trailing")),
    "json cut short": Stream(plain(HELLO[:40]), unnamed(HELLO[:40])),
    "no end": Stream(plain(ROLE) + b"data: " + HELLO, unnamed(ROLE), (b"", HELLO)),
    "no blank line": Stream(plain(ROLE) + b"data: [DONE]\n", unnamed(ROLE), (b"", DONE)),
    "no blank line, cr": Stream(b"data: 1\r", (), (b"", b"1")),
    "no end of a named event": Stream(b"event: e\ndata: 1\ndata: 2", (), (b"e", b"1\n2")),
    "a name at the end": Stream(plain(HELLO) + b"event: ping\n", unnamed(HELLO)),
    "bom before no end": Stream(b"\xef\xbb\xbfdata: 1", (), (b"", b"1")),
    "html": Stream(b"<html>\n<body>\n\n<h1>502</h1></body></html>\n", ()),
    "json": Stream(b'{"id": "chatcmpl-1",\n "choices": []}\n', ()),
    "blank lines": Stream(b"\n\r\n\r\r\n\n\n", ()),
    "empty": Stream(b"", ()),
}
