"""Requests that only one provider can serve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sidecar.core.capability import Capability
from sidecar.core.settings import Entry, Provider, Route
from sidecar.dialects.responses.ids import mint
from sidecar.proxy.call import Rejected
from sidecar.proxy.pinning import pin, pinned_path


def an_entry(name: str, *, keeps: bool = True) -> Entry:
    cannot = frozenset[Capability]() if keeps else frozenset((Capability.RESPONSES,))
    provider = Provider(name=name, kind="openai", base_url="http://127.0.0.1:1/v1")
    return Entry(provider=provider, cannot=cannot)


GEMINI, OPENAI, AZURE = an_entry("gemini", keeps=False), an_entry("openai"), an_entry("azure")
ROUTE = Route(models=("*",), chain=(GEMINI, OPENAI, AZURE))


def asked(fields: dict[str, object], route: Route = ROUTE) -> list[str]:
    return [entry.provider.name for entry in pin(fields, route)[1].chain]


def test_a_request_that_names_nothing_kept_goes_along_the_whole_chain() -> None:
    assert asked({"model": "m"}) == ["gemini", "openai", "azure"]


def test_a_follow_up_goes_to_the_provider_that_gave_the_response_under_its_own_name() -> None:
    fields, route = pin({"previous_response_id": mint("azure", "resp_1")}, ROUTE)

    assert [entry.provider.name for entry in route.chain] == ["azure"]
    assert fields["previous_response_id"] == "resp_1"


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "prompt"])
def test_what_the_sidecar_did_not_mark_goes_to_the_first_that_keeps_anything(field: str) -> None:
    assert asked({field: "conv_1"}) == ["openai"]


def test_where_nobody_keeps_anything_the_chain_says_so_itself() -> None:
    assert asked({"conversation": "conv_1"}, replace(ROUTE, chain=(GEMINI,))) == ["gemini"]


def test_a_follow_up_to_what_was_not_kept_is_refused_with_the_reason() -> None:
    with pytest.raises(Rejected, match="send the whole conversation") as rejected:
        pin({"previous_response_id": mint("gemini", "abc")}, ROUTE)

    assert rejected.value.refused.param == "previous_response_id"


def test_a_kept_response_is_looked_up_where_it_is() -> None:
    found = pinned_path(f"/responses/{mint('openai', 'resp_1')}/input_items", [ROUTE])

    assert found is not None
    assert found[0] == "/responses/resp_1/input_items"
    assert found[1].chain == (OPENAI,)


def test_a_response_of_nobody_is_looked_up_at_the_first_that_keeps_anything() -> None:
    found = pinned_path("/responses/resp_1/cancel", [ROUTE])

    assert found is not None
    assert found[0] == "/responses/resp_1/cancel"
    assert found[1].chain == (OPENAI,)


def test_a_response_of_nobody_is_looked_up_nowhere_where_no_route_is_for_everything() -> None:
    assert pinned_path("/responses/resp_1", [replace(ROUTE, models=("gpt-4o",))]) is None


def test_a_response_that_was_not_kept_is_found_nowhere() -> None:
    with pytest.raises(Rejected, match="given by gemini, which keeps none") as rejected:
        pinned_path(f"/responses/{mint('gemini', 'abc')}", [ROUTE])

    assert rejected.value.refused.status == 404


def test_any_other_path_is_nobodys() -> None:
    assert pinned_path("/files/file_1", [ROUTE]) is None


def test_of_a_provider_whose_one_model_keeps_nothing_the_other_is_asked() -> None:
    forgetful = replace(AZURE, cannot=GEMINI.cannot)
    route = replace(ROUTE, chain=(forgetful, AZURE))
    fields = {"previous_response_id": mint("azure", "resp_1")}

    assert pin(fields, route)[1].chain == (AZURE,)
