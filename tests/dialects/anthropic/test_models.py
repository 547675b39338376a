"""What a model accepts is read from its name."""

from __future__ import annotations

import pytest

from sidecar.dialects.anthropic import models
from sidecar.dialects.anthropic.models import Model, model_of, without_budget


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-2.1", models.V3),
        ("anthropic.claude-v2:1", models.V3),
        ("claude-instant-1.2", models.V3),
        ("claude-3-haiku-20240307", models.V3),
        ("claude-3-5-sonnet-20241022", models.V3_5),
        ("claude-3-7-sonnet-latest", models.V4),
        ("claude-sonnet-4-20250514", models.V4),
        ("claude-opus-4-20250514", models.OPUS_4),
        ("claude-4-opus-20250514", models.OPUS_4),
        ("claude-opus-4-1@20250805", models.OPUS_4_1),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", models.V4_5),
        ("claude-haiku-4-5", models.V4_5),
        ("claude-opus-4-5-20251101", models.OPUS_4_5),
        ("claude-sonnet-4-6", models.V4_6),
        ("claude-opus-4-7", models.V4_7),
        ("anthropic/claude-opus-4.8", models.V4_8),
        ("claude-opus-5", models.V5),
        ("claude-opus-5-20260724", models.V5),
        ("claude-sonnet-5", models.SONNET_5),
        ("claude-fable-5", models.FABLE_5),
        ("claude-mythos-5-1", models.NEWEST),
        ("claude-fable-5-2", models.OPUS_5_5),
        ("Claude-Opus-5.5", models.OPUS_5_5),
        ("claude-sonnet-5-5", models.SONNET_5_5),
        ("claude-haiku-5-5", models.HAIKU_5_5),
        ("claude-sonnet-6", models.SONNET_5_5),
        ("claude-parable-7", models.NEWEST),
        ("claude-opus-latest", models.NEWEST),
        ("our-own-alias", models.NEWEST),
        ("", models.NEWEST),
    ],
)
def test_a_model_is_known_by_family_and_version(name: str, model: Model) -> None:
    assert model_of(name) is model


def test_without_a_budget_all_else_stays() -> None:
    assert without_budget(models.V4_6).thinking == {"adaptive", "disabled"}
    assert without_budget(models.NEWEST) == models.NEWEST
