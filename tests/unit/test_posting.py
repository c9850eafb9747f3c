"""What a message to a webhook looks like, and whom it may reach."""

from datetime import UTC, datetime

import pytest

from connectors.egress import Exceptions, HostRefused
from pipelines.posting import Message, policy

# As the specification's own libraries test themselves with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105
MESSAGE = Message(id="msg_p5jXN8AQM9LWM0D4loKWxJek", body='{"test": 2432232314}')
SECONDS = 1_614_265_330
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_it_is_signed_as_the_specification_signs_its_example() -> None:
    headers = MESSAGE.headers([SECRET], at=datetime.fromtimestamp(SECONDS, UTC))

    assert headers["webhook-id"] == MESSAGE.id
    assert headers["webhook-timestamp"] == str(SECONDS)
    assert headers["webhook-signature"] == SIGNATURE


def test_while_a_secret_is_replaced_both_sign() -> None:
    headers = MESSAGE.headers(["whsec_AAAA", SECRET], at=datetime.fromtimestamp(SECONDS, UTC))

    first, second = headers["webhook-signature"].split()
    assert first.startswith("v1,")
    assert (first != second, second) == (True, SIGNATURE)


@pytest.mark.parametrize("url", ["https://10.1.2.3/", "https://127.0.0.1/", "https://[::1]/"])
def test_what_is_not_on_the_internet_is_not_told(url: str) -> None:
    allowed = policy(url, Exceptions())
    [host] = allowed.hosts

    with pytest.raises(HostRefused):
        allowed.locate(host, 443)


def test_a_name_in_another_script_is_its_own_host() -> None:
    allowed = policy("https://bücher.example/", Exceptions())

    allowed.check_host("xn--bcher-kva.example")
    with pytest.raises(HostRefused):
        allowed.check_host("example")
