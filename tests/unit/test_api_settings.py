import pytest
from pydantic import ValidationError

from api.settings import ApiSettings


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
