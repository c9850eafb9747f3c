"""Where requests may go, in every spelling of an address."""

import ipaddress
from ipaddress import ip_network

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from connectors import egress
from connectors.addresses import is_public, resolve
from connectors.egress import Exceptions, HostRefused, Policy
from connectors.errors import SourceUnavailable
from tests.loopback import listening

LOOPBACK = Exceptions(networks=(ip_network("127.0.0.0/8"),))

PRIVATE = {
    "loopback": "127.0.0.1",
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "octal": "0177.0.0.1",
    "short": "127.1",
    "mixed": "0x7f.1",
    "unspecified": "0.0.0.0",  # noqa: S104  # where nothing may be sent
    "zero": "0",
    "this network": "0.1.2.3",
    "private 10": "10.1.2.3",
    "private 172": "172.16.0.1",
    "private 192": "192.168.1.1",
    "shared (carrier NAT)": "100.64.0.1",
    "link-local, cloud metadata": "169.254.169.254",
    "benchmarking": "198.18.0.1",
    "documentation": "203.0.113.9",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "v6 loopback": "::1",
    "v6 unspecified": "::",
    "v4-mapped": "::ffff:127.0.0.1",
    "v4-mapped in hexadecimal": "::ffff:7f00:1",
    "v4-compatible": "::10.0.0.1",
    "NAT64": "64:ff9b::10.0.0.1",
    "NAT64, local prefix": "64:ff9b:1::a00:1",
    "6to4": "2002:7f00:1::",
    "Teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "unique local": "fd00::1",
    "v6 link-local": "fe80::1",
    "v6 multicast": "ff02::1",
    "v6 documentation": "2001:db8::1",
}
PUBLIC = ["140.82.121.6", "8.8.8.8", "2606:50c0:8000::153", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("text", PRIVATE.values(), ids=PRIVATE)
def test_private_address_is_refused_however_it_is_written(text: str) -> None:
    policy = Policy(hosts=frozenset({text.lower()}))

    with pytest.raises(HostRefused) as refusal:
        policy.locate(text, 443)

    assert "not on the internet" in str(refusal.value)
    assert "HEADWATER_EGRESS_NETWORKS" in refusal.value.action


@pytest.mark.parametrize("text", PUBLIC)
def test_public_address_may_be_reached(text: str) -> None:
    located = Policy(hosts=frozenset({text})).locate(text, 443)
    assert located == str(ipaddress.ip_address(text))
    assert is_public(ipaddress.ip_address(text))


def test_name_with_one_private_address_among_its_addresses_is_refused() -> None:
    policy = Policy(hosts=frozenset({"both.example"}))
    both = [ipaddress.ip_address("8.8.8.8"), ipaddress.ip_address("10.0.0.1")]

    with pytest.raises(HostRefused):
        policy.check_addresses("both.example", 443, both)


def test_name_that_leads_here_is_refused() -> None:
    assert [str(address) for address in resolve("localhost", 443)]

    with pytest.raises(HostRefused):
        Policy(hosts=frozenset({"localhost"})).locate("localhost", 443)


def test_name_that_does_not_exist_is_tried_again_later() -> None:
    with pytest.raises(SourceUnavailable, match="cannot be found"):
        Policy(hosts=frozenset({"nowhere.invalid"})).locate("nowhere.invalid", 443)


@pytest.mark.parametrize(
    ("host", "may"),
    [
        ("api.github.com", True),
        ("API.GitHub.com.", True),
        ("raw.githubusercontent.com", True),
        ("githubusercontent.com", False),
        ("evilgithubusercontent.com", False),
        ("api.github.com.evil.example", False),
        ("evil.example", False),
    ],
)
def test_only_named_hosts_are_asked(host: str, *, may: bool) -> None:
    policy = Policy(hosts=frozenset({"api.github.com", ".githubusercontent.com"}))

    if may:
        policy.check_host(host)
        return
    with pytest.raises(HostRefused, match="nothing was sent"):
        policy.check_host(host)


def test_other_ports_of_a_public_host_are_refused() -> None:
    with pytest.raises(HostRefused, match="Port 22"):
        Policy(hosts=frozenset({"8.8.8.8"})).locate("8.8.8.8", 22)


def test_public_host_is_not_asked_without_encryption() -> None:
    policy = Policy(hosts=frozenset({"8.8.8.8"}), ports=frozenset({80, 443}))

    with pytest.raises(HostRefused, match="without encryption"):
        policy.locate("8.8.8.8", 80, plain=True)


def test_operator_can_allow_a_network() -> None:
    with egress.excepting(LOOPBACK):
        policy = Policy(hosts=frozenset({"127.0.0.1"}))

    assert policy.locate("127.0.0.1", 8123, plain=True) == "127.0.0.1"
    with pytest.raises(HostRefused):
        Policy(hosts=frozenset({"127.0.0.1"})).locate("127.0.0.1", 8123)


async def redirect(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"])


async def inside(request: Request) -> Response:
    return Response(f"secret {request.headers.get('authorization')}")


HOPS = Starlette(routes=[Route("/redirect", redirect), Route("/inside", inside)])


async def test_redirect_leads_no_further_than_the_first_request_may() -> None:
    async with listening(HOPS) as origin:
        policy = Policy(hosts=frozenset({"127.0.0.1"}), exceptions=LOOPBACK)
        async with egress.client(policy, follow_redirects=True) as client:
            there = await client.get(f"{origin}/redirect", params={"to": f"{origin}/inside"})
            with pytest.raises(HostRefused):
                await client.get(f"{origin}/redirect", params={"to": "http://169.254.169.254/"})
            other = origin.replace("127.0.0.1", "2130706433")
            with pytest.raises(HostRefused):
                await client.get(f"{origin}/redirect", params={"to": f"{other}/inside"})

    assert there.text == "secret None"


async def test_each_hop_is_checked_by_its_address_too() -> None:
    """A host the connector names may still come to lead into our network."""
    async with listening(HOPS) as origin:
        port = httpx.URL(origin).port
        only = Exceptions(networks=(ip_network("127.0.0.1/32"),))
        hosts = frozenset({"127.0.0.1", "127.0.0.2"})
        policy = Policy(hosts=hosts, exceptions=only)
        async with egress.client(policy, follow_redirects=True) as client:
            to = f"http://127.0.0.2:{port}/inside"
            with pytest.raises(HostRefused, match=r"127\.0\.0\.2 leads to"):
                await client.get(f"{origin}/redirect", params={"to": to})


async def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    async with listening(HOPS) as origin:
        other = origin.replace("127.0.0.1", "localhost")
        policy = Policy(hosts=frozenset({"127.0.0.1", "localhost"}), exceptions=LOOPBACK)
        headers = {"authorization": "Bearer ours"}
        async with egress.client(policy, follow_redirects=True) as client:
            answer = await client.get(
                f"{origin}/redirect", params={"to": f"{other}/inside"}, headers=headers
            )

    assert answer.text == "secret None"


async def test_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with listening(HOPS) as origin:
        policy = Policy(hosts=frozenset({"127.0.0.1"}), exceptions=LOOPBACK)
        async with egress.client(policy) as client:
            answer = await client.get(f"{origin}/inside")

    assert answer.status_code == 200


async def test_server_that_is_not_there_is_an_httpx_error() -> None:
    policy = Policy(hosts=frozenset({"127.0.0.1"}), exceptions=LOOPBACK)
    async with egress.client(policy) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://127.0.0.1:9/")
