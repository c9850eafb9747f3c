from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings
from pipelines.settings import PipelineSettings
from storage.errors import SetupError


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "192.168.1.4", "example.org", "127.0.0.1.evil.org"],  # noqa: S104  # refused
)
def test_what_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(SetupError) as refused:
        ApiSettings(host=host)

    assert host in str(refused.value)
    assert "127.0.0.1" in refused.value.action


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_is_served(host: str) -> None:
    assert ApiSettings(host=host).host == host


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
