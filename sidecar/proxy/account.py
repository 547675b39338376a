"""The account of one call: what is reported of every attempt, skip and move to another provider."""

from __future__ import annotations

from sidecar.core.events import (
    AttemptEnded,
    AttemptStarted,
    ExtraResult,
    FailedOver,
    Hedged,
    Report,
    Retried,
    Skipped,
    StreamInterrupted,
)
from sidecar.core.failover import Step
from sidecar.core.outcome import Endpoint, SkipReason
from sidecar.core.settings import Entry
from sidecar.proxy.attempt import Attempt
from sidecar.proxy.exchange import Exchange


class Account:
    """Reports what becomes of the call of `exchange`."""

    def __init__(self, exchange: Exchange, report: Report) -> None:
        self._exchange = exchange
        self._report = report

    def started(self, entry: Entry) -> None:
        """A provider is asked."""
        self._report(
            AttemptStarted(
                request_id=self._exchange.id, provider=entry.provider.name, model=entry.model_label
            )
        )

    def ended(self, attempt: Attempt) -> None:
        """An attempt is over."""
        provider = attempt.entry.provider.name
        if stage := attempt.broken_at:
            self._report(StreamInterrupted(provider=provider, stage=stage))
        self._report(
            AttemptEnded(
                request_id=self._exchange.id,
                route=self._exchange.route,
                provider=provider,
                model=attempt.entry.model_label,
                outcome=attempt.outcome,
                status=attempt.status,
                duration_s=attempt.duration_s,
                ttft_s=attempt.ttft_s,
                usage=attempt.usage,
                dropped=attempt.dropped,
                remaining=attempt.remaining,
                counts_tokens=self._exchange.endpoint is not Endpoint.PASSTHROUGH,
                began_s=attempt.began_s,
                broken_at=attempt.broken_at,
                span_id=attempt.span_id,
                trace=self._exchange.trace,
            )
        )

    def failed_over(self, failed: Step | None, entry: Entry) -> None:
        """After what `failed`, if it did by itself, another entry has its turn."""
        if failed and failed.failure and failed.is_failed and failed.entry is not entry:
            self._report(
                FailedOver(
                    request_id=self._exchange.id,
                    route=self._exchange.route,
                    from_provider=failed.entry.provider.name,
                    to_provider=entry.provider.name,
                    reason=failed.failure.outcome,
                    trace=self._exchange.trace,
                )
            )

    def passed_over(self, entry: Entry, reason: SkipReason) -> None:
        """A provider is not asked."""
        self._report(
            Skipped(
                request_id=self._exchange.id,
                route=self._exchange.route,
                provider=entry.provider.name,
                reason=reason,
                trace=self._exchange.trace,
            )
        )

    def retried(self, provider: str, result: ExtraResult) -> None:
        """An extra try at a provider came to something."""
        self._report(Retried(provider=provider, result=result))

    def hedged(self, provider: str, result: ExtraResult) -> None:
        """A provider asked beside another one came to something."""
        self._report(Hedged(provider=provider, result=result))
