"""How a worker's environment is read."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from pipelines.settings import PipelineSettings


def test_networks_that_connectors_may_reach_are_listed_by_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEADWATER_EGRESS_NETWORKS", "10.1.0.0/16, 127.0.0.1")
    monkeypatch.setenv("HEADWATER_EGRESS_PROXY", "http://proxy.example:3128")

    egress = PipelineSettings().egress

    assert egress.networks == (ip_network("10.1.0.0/16"), ip_network("127.0.0.1/32"))
    assert egress.proxy == "http://proxy.example:3128"


def test_nothing_private_is_reached_unless_somebody_says_so() -> None:
    assert PipelineSettings().egress.networks == ()


def test_network_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_EGRESS_NETWORKS", "localhost")

    with pytest.raises(ValidationError, match="network"):
        PipelineSettings()
