"""What is said of a wrong configuration: the exact line, column, path and words."""

from __future__ import annotations

import pytest

from tests.config.texts import BASE, problems_of

ENVIRON = {"SIXTY": "60", "WORD": "word", "THREE": "3"}

CLASSES = (
    "rate_limit, overloaded, warming, server_error, timeout_upstream, generation_failed, auth,"
    " forbidden, quota_exhausted, model_missing, not_supported, unsupported_param, context_length,"
    " too_large, content_filter, bad_request"
)

# One line after BASE, which is line 5, and what is said of it.
KEYS = {
    "unknown key": (
        "lissen: 127.0.0.1:1",
        "c.yaml:5:1: lissen: unknown key (did you mean listen?)",
    ),
    "unknown key like none": ("zzz: 1", "c.yaml:5:1: zzz: unknown key"),
    "key twice": (
        "log: {level: info, level: debug}",
        "c.yaml:5:20: log.level: is there twice, first in line 5",
    ),
    "key that is a list": ("log: {[a]: info}", "c.yaml:5:7: log: a key must be text"),
    "not served yet": (
        "breaker: {all_open: fail_fast}",
        "c.yaml:5:11: breaker.all_open: is not supported by this version; remove it",
    ),
    "collector that is no URL": (
        "tracing: {otlp: collector}",
        "c.yaml:5:17: tracing.otlp: must be an http:// or https:// URL, got collector",
    ),
    "collector with a password": (
        "tracing: {otlp: 'http://u:pw@collector'}",
        "c.yaml:5:17: tracing.otlp: must not hold a name or a password;"
        " use the variable OTEL_EXPORTER_OTLP_HEADERS",
    ),
    "more than all traces": (
        "tracing: {sample_ratio: 1.5}",
        "c.yaml:5:25: tracing.sample_ratio: must be from 0 to 1, got 1.5",
    ),
    "list for a mapping": ("log: [1]", "c.yaml:5:6: log: must be a mapping, got a list"),
    "text for a mapping": ("log: sk-1", "c.yaml:5:6: log: must be a mapping, got a single value"),
    "tag": ("log: !mine {}", "c.yaml:5:6: log: must not have a tag"),
    "merge of a list item that is none": (
        "log: {<<: [1]}",
        "c.yaml:5:12: log.<<: must be a mapping, or a list of them",
    ),
    "value within itself": ("log: &a {level: *a}", "c.yaml:5:6: log.level: contains itself"),
    "unknown word": (
        "log: {level: inof}",
        "c.yaml:5:14: log.level: must be one of debug, info, warning, error, got inof"
        " (did you mean info?)",
    ),
    "off for a word": (
        "log: {level: off}",
        "c.yaml:5:14: log.level: must be one of debug, info, warning, error, got off",
    ),
    "text for a number": (
        "breaker: {min_requests: ten}",
        "c.yaml:5:25: breaker.min_requests: must be a whole number, not text, got ten",
    ),
    "fraction for a whole number": (
        "breaker: {min_requests: 1.5}",
        "c.yaml:5:25: breaker.min_requests: must be a whole number, got 1.5",
    ),
    "truth for a number": (
        "breaker: {min_requests: yes}",
        "c.yaml:5:25: breaker.min_requests: must be a whole number, got yes",
    ),
    "no finite number": (
        "breaker: {open_backoff: {multiplier: .inf}}",
        "c.yaml:5:38: breaker.open_backoff.multiplier: must be a number, got .inf",
    ),
    "broken rule": (
        "breaker: {failure_ratio: 1.5}",
        "c.yaml:5:26: breaker.failure_ratio: must be in (0, 1], got 1.5",
    ),
    "broken rule of a duration": (
        "timeouts: {idle: 0s}",
        "c.yaml:5:18: timeouts.idle: must be positive, got 0s",
    ),
    "broken rule of a size": (
        "limits: {headers: 0KiB}",
        "c.yaml:5:19: limits.headers: must be positive, got 0KiB",
    ),
    "duration without unit": (
        "drain_timeout: 60",
        "c.yaml:5:16: drain_timeout: needs a unit (250ms, 60s, 10m or 1h), got 60"
        " (did you mean 60s?)",
    ),
    "bad duration": (
        "drain_timeout: soon",
        "c.yaml:5:16: drain_timeout: must be a duration such as 250ms, 60s, 10m or 1h, got soon",
    ),
    "size without unit": (
        "limits: {headers: 1024}",
        "c.yaml:5:19: limits.headers: needs a unit (512B, 32KiB, 32MiB or 1GiB), got 1024"
        " (did you mean 1024B?)",
    ),
    "unset variable": (
        "drain_timeout: ${UNSET}",
        "c.yaml:5:16: drain_timeout: not set in the environment: UNSET",
    ),
    "malformed variable": (
        "drain_timeout: ${SIXTY",
        "c.yaml:5:16: drain_timeout: is malformed; write ${NAME}, ${NAME:-default}, ${file:/path}"
        " or a plain $${, got ${SIXTY",
    ),
    "variable with a bad duration": (
        "drain_timeout: ${SIXTY}",
        "c.yaml:5:16: drain_timeout: needs a unit (250ms, 60s, 10m or 1h), got ${SIXTY}",
    ),
    "variable with no number": (
        "breaker: {min_requests: '${WORD}'}",
        "c.yaml:5:25: breaker.min_requests: must be a whole number, got ${WORD}",
    ),
    "port alone": (
        "listen: 8787",
        "c.yaml:5:9: listen: must be HOST:PORT, got 8787 (did you mean 127.0.0.1:8787?)",
    ),
    "no host": (
        'listen: ":8787"',
        "c.yaml:5:9: listen: must be HOST:PORT, got :8787 (did you mean 127.0.0.1:8787?)",
    ),
    "no port": ("listen: localhost", "c.yaml:5:9: listen: must be HOST:PORT, got localhost"),
    "IPv6 without brackets": (
        "listen: ::1:8787",
        "c.yaml:5:9: listen: must be HOST:PORT, got ::1:8787 (did you mean [::1]:8787?)",
    ),
    "no IPv6": ('listen: "[x]:1"', "c.yaml:5:9: listen: must be HOST:PORT, got [x]:1"),
    "port out of range": (
        "listen: 127.0.0.1:65536",
        "c.yaml:5:9: listen: the port must be 0 to 65535, got 127.0.0.1:65536",
    ),
    "one port for both listeners": (
        "admin: 0.0.0.0:8787",
        "c.yaml:5:8: admin: takes the same port as listen",
    ),
    "null for an address": ("listen: null", "c.yaml:5:9: listen: must be HOST:PORT, got null"),
    "control character in a secret": (
        r'admin_token: "a\nb"',
        "c.yaml:5:14: admin_token: must not hold a line break or another control character,"
        " got ***",
    ),
    "number for a secret": ("admin_token: 123", "c.yaml:5:14: admin_token: must be text, got ***"),
    "unknown store": (
        "store: redes://me:pw@host",
        "c.yaml:5:8: store: must be one of memory, redis://…, redis+sentinel://…,"
        " redis+cluster://… (with TLS: rediss), etcd[s]://…, got redes://***@host",
    ),
    "store that is no URL": (
        "store: redis",
        "c.yaml:5:8: store: must be one of memory, redis://…, redis+sentinel://…,"
        " redis+cluster://… (with TLS: rediss), etcd[s]://…, got ***",
    ),
    "store with a wrong database": (
        "store: redis://me:pw@host/first",
        "c.yaml:5:8: store: the database must be a number, got redis://***@host/first",
    ),
    "etcd with half a login": (
        "store: etcd://me@one,two:2379",
        "c.yaml:5:8: store: etcd needs both a user and a password, or neither,"
        " got etcd://***@one,two:2379",
    ),
    "list for a store": ("store: [redis]", "c.yaml:5:8: store: must be text, got ***"),
    "namespace without a name": (
        'fleet: {namespace: ""}',
        "c.yaml:5:20: fleet.namespace: must not be empty",
    ),
    "no time for the store": (
        "fleet: {op_timeout: 0s}",
        "c.yaml:5:21: fleet.op_timeout: must be positive, got 0s",
    ),
    "rule that says nothing": (
        "errors: [{match: {}, class: auth}]",
        "c.yaml:5:18: errors.0.match: must not be empty",
    ),
    "rule without a match": (
        "errors: [{class: auth}]",
        "c.yaml:5:10: errors.0.match: is required",
    ),
    "rule without a class": (
        "errors: [{match: {code: 7}}]",
        "c.yaml:5:10: errors.0.class: is required",
    ),
    "misspelt class": (
        "errors: [{match: {code: 7}, class: quota_exausted}]",
        "c.yaml:5:36: errors.0.class: must be one of " + CLASSES + ", got quota_exausted"
        " (did you mean quota_exhausted?)",
    ),
    "field's own name for the class": (
        "errors: [{match: {code: 7}, class: auth, outcome: auth}]",
        "c.yaml:5:42: errors.0.outcome: unknown key",
    ),
    "code of another sort": (
        "errors: [{match: {code: [7]}, class: auth}]",
        "c.yaml:5:25: errors.0.match.code: must be text, got a list",
    ),
    "truth for a code": (
        "errors: [{match: {code: off}, class: auth}]",
        'c.yaml:5:25: errors.0.match.code: must be text, got off (did you mean "off"?)',
    ),
    "nothing for a condition": (
        "errors: [{match: {status: null}, class: auth}]",
        "c.yaml:5:27: errors.0.match.status: must be a whole number, got null",
    ),
    "empty text": (
        "errors: [{match: {text: ''}, class: auth}]",
        "c.yaml:5:25: errors.0.match.text: must not be empty",
    ),
    "status that is none": (
        "errors: [{match: {status: 40}, class: auth}]",
        "c.yaml:5:27: errors.0.match.status: must be at least 100, got 40",
    ),
    "price of an unknown provider": (
        "prices: {on/m: {input: 1, output: 1}}",
        "c.yaml:5:10: prices.on/m: unknown provider (did you mean one?)",
    ),
    "price without a model": (
        "prices: {one: {input: 1, output: 1}}",
        "c.yaml:5:10: prices.one: the name must match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}/.{1,256}$",
    ),
    "price without its half": (
        "prices: {one/m: {input: 1}}",
        "c.yaml:5:17: prices.one/m.output: is required",
    ),
    "price below nothing": (
        "prices: {one/m: {input: 1, output: 1, cached_input: -0.1}}",
        "c.yaml:5:53: prices.one/m.cached_input: must not be negative, got -0.1",
    ),
    "price in words": (
        "prices: {one/m: {input: cheap, output: 1}}",
        "c.yaml:5:25: prices.one/m.input: must be a number, not text, got cheap",
    ),
}

# The line in place of line 2 of BASE.
PROVIDERS = {
    "no mapping": (
        "  one: sk-secret",
        "c.yaml:2:8: providers.one: must be a mapping, got a single value",
    ),
    "name": (
        "  a/b: {kind: openai}\n  one: {kind: openai}",
        "c.yaml:2:3: providers.a/b: the name must match ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    ),
    "no kind": ("  one: {}", "c.yaml:2:8: providers.one.kind: is required"),
    "unknown kind": (
        "  one: {kind: opnai}",
        "c.yaml:2:15: providers.one.kind: unknown kind, got opnai (did you mean openai?)",
    ),
    "key of the section above": (
        "  one: {kind: openai, name: x}",
        "c.yaml:2:23: providers.one.name: cannot be set here",
    ),
    "the chain's clock": (
        "  one: {kind: openai, timeouts: {total: 1s}}",
        "c.yaml:2:34: providers.one.timeouts.total: cannot be set here",
    ),
    "no keys": (
        "  one: {kind: gemini, api_keys: []}",
        "c.yaml:2:33: providers.one.api_keys: must not be empty",
    ),
    "keys that are all left out": (
        "  one: {kind: gemini, api_keys: ['', '${NONE:-}', off]}",
        "c.yaml:2:33: providers.one.api_keys: must hold a key",
    ),
    "one of the keys": (
        "  one: {kind: gemini, api_keys: [4]}",
        "c.yaml:2:34: providers.one.api_keys.0: must be text, got ***",
    ),
    "key and keys": (
        "  one: {kind: openai, api_key: a, api_keys: [b]}",
        "c.yaml:2:45: providers.one.api_keys: cannot stand beside api_key: put every key here",
    ),
    "unknown capability": (
        "  one: {kind: openai, cannot: [image]}",
        "c.yaml:2:32: providers.one.cannot.0: must be one of tools, images, audio, pdf,"
        " json_schema, n, completions, embeddings, responses, got image (did you mean images?)",
    ),
    "one capability without a list": (
        "  one: {kind: openai, cannot: tools}",
        "c.yaml:2:31: providers.one.cannot: must be a list, got a single value",
    ),
    "rule of one provider": (
        "  one: {kind: openai, errors: [{match: {status: 400}, class: ok}]}",
        "c.yaml:2:62: providers.one.errors.0.class: must be one of " + CLASSES + ", got ok",
    ),
    "no address": (
        "  one: {kind: azure, api_key: k}",
        "c.yaml:2:8: providers.one.base_url: is required for kind azure,"
        " or the variable AZURE_OPENAI_RESOURCE",
    ),
    "no account": (
        "  one: {kind: cloudflare, api_key: k}",
        "c.yaml:2:8: providers.one.base_url: is required for kind cloudflare,"
        " or the variable CLOUDFLARE_ACCOUNT_ID",
    ),
    "no secret": (
        "  one: {kind: gemini}",
        "c.yaml:2:8: providers.one.api_key: is required for kind gemini"
        " (did you mean ${GEMINI_API_KEY}?)",
    ),
    "secret from an unset variable": (
        "  one: {kind: gemini, api_key: '${NONE}'}",
        "c.yaml:2:32: providers.one.api_key: not set in the environment: NONE",
    ),
    "scheme": (
        "  one: {kind: openai, base_url: 'ftp://host/v1'}",
        "c.yaml:2:33: providers.one.base_url: must be an http:// or https:// URL,"
        " got ftp://host/v1",
    ),
    "port of an URL": (
        "  one: {kind: openai, base_url: 'http://host:99999'}",
        "c.yaml:2:33: providers.one.base_url: must be an http:// or https:// URL,"
        " got http://host:99999",
    ),
    "space in an URL": (
        "  one: {kind: openai, base_url: 'http://ho st'}",
        "c.yaml:2:33: providers.one.base_url: must be an http:// or https:// URL, got http://ho st",
    ),
    "query of an URL": (
        "  one: {kind: openai, base_url: 'http://host?key=sk-secret'}",
        "c.yaml:2:33: providers.one.base_url: must end with the path: no ? and no #",
    ),
    "password in an URL": (
        "  one: {kind: openai, base_url: 'http://u:pw@host'}",
        "c.yaml:2:33: providers.one.base_url: must not hold a name or a password;"
        " use api_key or headers",
    ),
    "proxy": (
        "  one: {kind: openai, proxy: 'socks5://u:pw@host'}",
        "c.yaml:2:30: providers.one.proxy: must be an http:// or https:// URL",
    ),
    "CA file": (
        "  one: {kind: openai, ca_file: /nowhere/ca.pem}",
        "c.yaml:2:32: providers.one.ca_file: cannot be read: No such file or directory,"
        " got /nowhere/ca.pem",
    ),
    "header's name": (
        "  one: {kind: openai, headers: {'a b': x}}",
        "c.yaml:2:33: providers.one.headers.a b: the name must match"
        " ^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$",
    ),
    "header's value": (
        "  one: {kind: openai, headers: {a: 1}}",
        "c.yaml:2:36: providers.one.headers.a: must be text, got ***",
    ),
    "header of the connection": (
        "  one: {kind: openai, headers: {hOsT: evil}}",
        "c.yaml:2:33: providers.one.headers.hOsT: cannot be set: it frames or routes the request",
    ),
    "override that breaks a rule": (
        "  one: {kind: openai, breaker: {success_threshold: 0}}",
        "c.yaml:2:52: providers.one.breaker.success_threshold: must be at least 1, got 0",
    ),
}

# The line in place of line 4 of BASE.
ROUTES = {
    "no chain": ("  - {models: [a]}", "c.yaml:4:5: routes.0.chain: is required"),
    "empty chain": (
        "  - {models: [a], chain: []}",
        "c.yaml:4:26: routes.0.chain: must not be empty",
    ),
    "no models": ("  - {chain: [one]}", "c.yaml:4:5: routes.0.models: is required"),
    "one model without a list": (
        "  - {models: a, chain: [one]}",
        "c.yaml:4:14: routes.0.models: must be a list, got a single value",
    ),
    "model that is a number": (
        "  - {models: [4], chain: [one]}",
        'c.yaml:4:15: routes.0.models.0: must be text, got 4 (did you mean "4"?)',
    ),
    "empty model": (
        "  - {models: [''], chain: [one]}",
        "c.yaml:4:15: routes.0.models.0: must not be empty",
    ),
    "unknown provider": (
        "  - {models: [a], chain: [noe/m]}",
        "c.yaml:4:27: routes.0.chain.0: unknown provider, got noe/m (did you mean one?)",
    ),
    "unknown provider in a mapping": (
        "  - {models: [a], chain: [{model: m, provider: noe}]}",
        "c.yaml:4:48: routes.0.chain.0.provider: unknown provider, got noe (did you mean one?)",
    ),
    "provider without the model": (
        "  - {models: [a], chain: [one/]}",
        "c.yaml:4:27: routes.0.chain.0: must be PROVIDER/MODEL or PROVIDER, got one/",
    ),
    "entry of another sort": (
        "  - {models: [a], chain: [4]}",
        "c.yaml:4:27: routes.0.chain.0: must be PROVIDER/MODEL or PROVIDER, got 4",
    ),
    "line break": (
        r'  - {models: ["a\nb"], chain: [one]}',
        "c.yaml:4:15: routes.0.models.0: must not hold a line break or another control character,"
        " got a b",
    ),
    "window": (
        "  - {models: [a], chain: [{provider: one, context: 0}]}",
        "c.yaml:4:52: routes.0.chain.0.context: must be at least 1, got 0",
    ),
    "neither true nor false": (
        "  - {models: [a], chain: [{provider: one, prefill: maybe}]}",
        "c.yaml:4:52: routes.0.chain.0.prefill: must be true or false, got maybe",
    ),
    "what a break does": (
        "  - {models: [a], chain: [one], after_content: eror}",
        "c.yaml:4:48: routes.0.after_content: must be one of error, resume, buffer, got eror"
        " (did you mean error?)",
    ),
    "an attempt's clock": (
        "  - {models: [a], chain: [one], timeouts: {idle: 1s}}",
        "c.yaml:4:44: routes.0.timeouts.idle: cannot be set here",
    ),
    "chain's clock that breaks its rule": (
        "  - {models: [a], chain: [one], timeouts: {total: 0s}}",
        "c.yaml:4:51: routes.0.timeouts.total: must be positive, got 0s",
    ),
    "pattern twice": (
        "  - {models: [a, a], chain: [one]}",
        "c.yaml:4:18: routes.0.models.1: is there twice, got a",
    ),
    "route after *": (
        "  - {models: ['*'], chain: [one]}\n  - {models: [a], chain: [one]}",
        "c.yaml:5:15: routes.1.models.0: is never reached after routes.0, got a",
    ),
    "route of the same models": (
        "  - {models: [a], chain: [one]}\n  - {models: [a], chain: [one]}",
        "c.yaml:5:15: routes.1.models.0: is never reached after routes.0, got a",
    ),
}

# A whole text.
DOCUMENTS = {
    "nothing": (
        "",
        ["c.yaml:1:1: routes: is required", "c.yaml:1:1: providers: is required"],
    ),
    "a list": ("- 1", ["c.yaml:1:1: must be a mapping, got a list"]),
    "two documents": (
        "a: 1\n---\nb: 2",
        ["c.yaml:2:1: is not YAML: but found another document"],
    ),
    "tab": (
        "a:\n\tb: 1",
        ["c.yaml:2:1: is not YAML: found character '\\t' that cannot start any token"],
    ),
    "alias that names a secret": (
        "admin_token: *sk-secret",
        ["c.yaml:1:14: is not YAML: found undefined alias '***'"],
    ),
    "control character": ("ab: x\nc: \x07", ["c.yaml:2:4: is not YAML: a control character"]),
    "no providers": (
        "routes: [{models: [a], chain: [x]}]",
        [
            "c.yaml:1:1: providers: is required",
        ],
    ),
    "providers that are none": (
        "providers: {}\nroutes: [{models: [a], chain: [x]}]",
        ["c.yaml:1:12: providers: must not be empty"],
    ),
    "routes that are none": (
        "providers: {one: {kind: openai}}\nroutes:",
        ["c.yaml:2:8: routes: must not be empty"],
    ),
    "no end of depth": ("[" * 1000, ["c.yaml:1:1: is nested too deeply"]),
}


def replaced(line: int, by: str) -> str:
    lines = BASE.splitlines()
    return "\n".join([*lines[: line - 1], by, *lines[line:]]) + "\n"


@pytest.mark.parametrize(("line", "said"), KEYS.values(), ids=KEYS)
def test_a_wrong_setting_is_told_with_its_place(line: str, said: str) -> None:
    assert problems_of(BASE + line + "\n", ENVIRON) == [said]


@pytest.mark.parametrize(("line", "said"), PROVIDERS.values(), ids=PROVIDERS)
def test_a_wrong_provider_is_told_with_its_place(line: str, said: str) -> None:
    assert problems_of(replaced(2, line)) == [said]


@pytest.mark.parametrize(("line", "said"), ROUTES.values(), ids=ROUTES)
def test_a_wrong_route_is_told_with_its_place(line: str, said: str) -> None:
    assert problems_of(replaced(4, line)) == [said]


@pytest.mark.parametrize(("text", "said"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_wrong_document_is_told_with_its_place(text: str, said: list[str]) -> None:
    assert problems_of(text) == said


def test_everything_that_is_wrong_is_told_at_once_and_in_the_order_of_the_file() -> None:
    text = """\
listen: 1
providers:
  one: {kind: x}
  two: {kind: openai, nokey: 1, breaker: {success_threshold: 0, failure_ratio: 2}}
routes:
  - {models: [a], chain: [one, two, three/m]}
tracing: {otlp: collector}
"""
    places = [problem.split(": ")[:2] for problem in problems_of(text)]

    assert places == [
        ["c.yaml:1:9", "listen"],
        ["c.yaml:3:15", "providers.one.kind"],
        ["c.yaml:4:23", "providers.two.nokey"],
        ["c.yaml:4:62", "providers.two.breaker.success_threshold"],
        ["c.yaml:4:80", "providers.two.breaker.failure_ratio"],
        ["c.yaml:6:37", "routes.0.chain.2"],
        ["c.yaml:7:17", "tracing.otlp"],
    ]


@pytest.mark.parametrize(
    "line",
    [
        "breaker: {all_open: fail_fast}",
    ],
)
def test_what_is_not_served_yet_is_refused_and_not_called_unknown(line: str) -> None:
    (said,) = problems_of(BASE + line)

    assert said.endswith("is not supported by this version; remove it")


def test_what_a_provider_cannot_have_yet_is_refused() -> None:
    (said,) = problems_of(replaced(2, "  one: {kind: openai, breaker: {all_open: fail_fast}}"))

    assert said.endswith(
        "providers.one.breaker.all_open: is not supported by this version; remove it"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("retry: {attempts: 11}", "retry.attempts: must be from 0 to 10, got 11"),
        ("retry: {budget: {ratio: 2}}", "retry.budget.ratio: must be in [0, 1], got 2"),
        ("retry: {budget: {floor: -1}}", "retry.budget.floor: must not be negative, got -1"),
        ("hedge: {after: p99}", "hedge.after: must be a duration such as 250ms, 60s, 10m or 1h"),
        ("hedge: {after: 0s}", "hedge.after: must be positive, got 0s"),
        ("streaming: {keep_alive: 0s}", "streaming.keep_alive: must be positive, got 0s"),
        ("streaming: {upstream: never}", "streaming.upstream: must be one of as_asked, always"),
        ("breaker: {slow: {first_token: 0s}}", "breaker.slow.first_token: must be positive"),
        ("breaker: {slow: {ratio: 0}}", "breaker.slow.ratio: must be in (0, 1], got 0"),
    ],
)
def test_time_retries_and_streams_have_their_rules(line: str, said: str) -> None:
    (problem,) = problems_of(BASE + line)

    assert said in problem


@pytest.mark.parametrize(
    ("long", "shown"),
    [("x" * 200, "x" * 79 + "…"), ('"a\\nb\\e[1m"', "a b?[1m")],
    ids=["long", "control characters"],
)
def test_a_value_is_shown_short_and_printable(long: str, shown: str) -> None:
    (said,) = problems_of(BASE + f"drain_timeout: {long}")

    assert said.endswith(f"got {shown}")


def test_a_problem_within_an_alias_is_told_where_it_was_written() -> None:
    text = replaced(4, "  - {models: [a], chain: &c [nix]}\n  - {models: [b], chain: *c}")

    assert problems_of(text) == [
        "c.yaml:4:30: routes.0.chain.0: unknown provider, got nix",
        "c.yaml:4:30: routes.1.chain.0: unknown provider, got nix",
    ]


def test_a_broken_rule_of_all_providers_is_told_once() -> None:
    text = replaced(2, "  one: {kind: openai}\n  two: {kind: openai}")

    assert problems_of(text + "breaker: {min_requests: 0}\n") == [
        "c.yaml:6:25: breaker.min_requests: must be at least 1, got 0"
    ]


def test_every_wrong_half_of_a_price_is_told() -> None:
    said = problems_of(BASE + "prices: {one/m: {input: -1, output: -2}}\n")

    assert said == [
        "c.yaml:5:25: prices.one/m.input: must not be negative, got -1",
        "c.yaml:5:37: prices.one/m.output: must not be negative, got -2",
    ]


def test_a_variable_may_hold_a_number() -> None:
    assert problems_of(BASE + "breaker: {min_requests: '${THREE}'}", ENVIRON) == []


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE"),
        *("Trailer", "Upgrade", "Proxy-Connection", "Accept-Encoding", "Expect"),
    ],
)
def test_no_header_that_frames_or_routes_a_request_can_be_set(name: str) -> None:
    (said,) = problems_of(replaced(2, f"  one: {{kind: openai, headers: {{{name}: x}}}}"))

    assert said.endswith("cannot be set: it frames or routes the request")
