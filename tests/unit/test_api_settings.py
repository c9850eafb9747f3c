import pytest

from api.settings import ApiSettings
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
