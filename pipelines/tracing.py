"""Where spans go: to the collector that the usual ``OTEL_*`` variables name, or nowhere.

See https://opentelemetry.io/docs/specs/otel/protocol/exporter/ for them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

QUEUE = 20_000
"""Spans that may wait to be sent: a full queue drops them, and a burst of calls is this long."""


class TracingSettings(BaseSettings):
    """Whether there is a collector. How to reach it the exporter reads by itself."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    endpoint: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    traces: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextmanager
def open_tracing(settings: TracingSettings) -> Iterator[None]:
    """Send spans until the end of the block, and those that wait then."""
    if settings.endpoint is None and settings.traces is None:
        yield
        return
    provider = TracerProvider(resource=Resource.create({"service.name": "headwater"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), max_queue_size=QUEUE))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
