from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings
from pipelines.settings import PipelineSettings


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.168.1.4", "example.org", "127.0.0.1.evil.org"],  # noqa: S104  # as given
)
def test_what_others_could_reach_asks_for_keys(host: str) -> None:
    assert ApiSettings(host=host).asks_for_keys


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    assert not ApiSettings(host=host).asks_for_keys


def test_a_proxy_that_lets_others_in_makes_us_ask_for_keys() -> None:
    assert ApiSettings(public_url="https://headwater.example.com").asks_for_keys
    assert ApiSettings(hosts=frozenset({"headwater.internal"})).asks_for_keys
    assert ApiSettings(require_keys=True).asks_for_keys
    assert not ApiSettings(public_url="http://localhost:9000").asks_for_keys


def test_it_answers_for_every_name_it_was_given() -> None:
    settings = ApiSettings(
        host="::1", public_url="https://Headwater.Example.com:8443", hosts=frozenset({"Api.Local"})
    )

    assert settings.names == {"[::1]", "headwater.example.com", "api.local"}


@pytest.mark.parametrize("origin", ["*", "null", "app.example.com", "https://a.example.com/"])
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        ApiSettings(browser_origins=frozenset({origin}))


def test_api_lets_connectors_reach_what_workers_let_them_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_EGRESS_NETWORKS", "10.1.0.0/16")
    monkeypatch.setenv("HEADWATER_EGRESS_PROXY", "http://proxy.example:3128")

    assert ApiSettings().egress == PipelineSettings().egress
    assert ApiSettings().egress.networks == (ip_network("10.1.0.0/16"),)


def test_defaults_of_sources_are_checked_when_the_api_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_SOURCE_DEFAULTS", '{"gmail": {"table": "legacy"}}')
    assert ApiSettings().source_defaults == {"gmail": {"table": "legacy"}}

    for wrong in ('{"gmail": {"table": "free"}}', '{"gnail": {}}'):
        monkeypatch.setenv("HEADWATER_SOURCE_DEFAULTS", wrong)
        with pytest.raises(ValidationError):
            ApiSettings()
