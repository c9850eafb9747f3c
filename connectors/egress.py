"""The way out: requests go only to hosts a connector names, at addresses that were looked at.

A name is resolved once, all of its addresses are checked, and the connection goes to one of those
that were checked: between the look and the connection a name cannot come to mean another machine.
The check is below redirects, so each hop passes it. The environment's proxies are never used.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache

import httpcore
import httpx

from connectors.addresses import Address, Network, is_public, resolve, within
from connectors.errors import SourceInvalid, SourceUnavailable

_RESOLVE_SECONDS = 10
_TIMEOUT = httpx.Timeout(30, connect=10)
_MAX_REDIRECTS = 5

SocketOption = (
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
)


class HostRefused(SourceInvalid):
    """A request to somewhere it may not go. It was not sent."""

    action = (
        "Use an address that is reachable from the internet; or, if this is your own machine or "
        "network, let the operator allow it in HEADWATER_EGRESS_NETWORKS."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptions:
    """What the operator allows beyond the public internet: loopback for fakes, a company's network.

    There, any port and plain HTTP are allowed too. ``proxy`` is a forward proxy that everything
    goes through, if that is the only way out; names are then resolved by it, and checked by it.
    """

    networks: tuple[Network, ...] = ()
    proxy: str | None = None
    trust: ssl.SSLContext | None = None

    @property
    def web_trust(self) -> ssl.SSLContext:
        """Whose certificates are believed over HTTP."""
        return self.trust or _web_trust()


@cache
def _web_trust() -> ssl.SSLContext:
    """To read the machine's authorities takes 50 ms, so once a process."""
    return ssl.create_default_context()


_exceptions: ContextVar[Exceptions] = ContextVar("egress_exceptions", default=Exceptions())  # noqa: B039  # frozen


@contextmanager
def excepting(exceptions: Exceptions) -> Iterator[None]:
    """Allow these to every connector that is opened inside."""
    token = _exceptions.set(exceptions)
    try:
        yield
    finally:
        _exceptions.reset(token)


def allowed() -> Exceptions:
    """What is allowed to a connector that is opened now."""
    return _exceptions.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Where a connector may go. A host that begins with a dot means every name under it."""

    hosts: frozenset[str]
    ports: frozenset[int] = frozenset({443})
    exceptions: Exceptions = field(default_factory=_exceptions.get)

    def check_host(self, host: str) -> None:
        name = host.lower().rstrip(".")
        parents = (name[at:] for at, letter in enumerate(name) if letter == ".")
        if name not in self.hosts and not any(parent in self.hosts for parent in parents):
            raise HostRefused(f"{host} is not a host of this source, so nothing was sent to it")

    def check_addresses(self, host: str, port: int, found: Iterable[Address]) -> Address:
        """The address to connect to. All must be allowed: who has two could answer with either."""
        addresses = list(found)
        for address in addresses:
            if within(address, self.exceptions.networks):
                continue
            if not is_public(address):
                raise HostRefused(f"{host} leads to {address}, which is not on the internet")
            if port not in self.ports:
                raise HostRefused(f"Port {port} of {host} is not one this source is reached at")
        if not addresses:
            raise SourceUnavailable(f"{host} has no address")
        return addresses[0]

    def check_plain(self, host: str, address: Address) -> None:
        """Whether credentials may go there without encryption: only where it is our own network."""
        if not within(address, self.exceptions.networks):
            raise HostRefused(f"{host} is asked without encryption", action="Use https.")

    def locate(self, host: str, port: int, *, plain: bool = False) -> str:
        """The address to connect to instead of ``host``, for sockets of one's own. Blocks.

        Raises ``HostRefused``, and ``SourceUnavailable`` if the name cannot be resolved.
        """
        self.check_host(host)
        try:
            address = self.check_addresses(host, port, resolve(host, port))
        except OSError as error:
            raise SourceUnavailable(f"{host} cannot be found: {error.strerror}") from error
        if plain:
            self.check_plain(host, address)
        return str(address)


def client(policy: Policy, **options: object) -> httpx.AsyncClient:
    """An httpx client that keeps to ``policy``; ``options`` are headers, auth and the like."""
    settings: dict[str, object] = {"timeout": _TIMEOUT, "max_redirects": _MAX_REDIRECTS, **options}
    return httpx.AsyncClient(transport=Transport(policy), trust_env=False, **settings)  # type: ignore[arg-type]  # as httpx types each


class Transport(httpx.AsyncBaseTransport):
    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        trust = policy.exceptions.web_trust
        if policy.exceptions.proxy:
            self._pool: httpcore.AsyncConnectionPool = httpcore.AsyncHTTPProxy(
                policy.exceptions.proxy, ssl_context=trust
            )
        else:
            self._pool = httpcore.AsyncConnectionPool(
                ssl_context=trust, keepalive_expiry=30, network_backend=_Checked(policy)
            )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, plain = request.url, request.url.scheme != "https"
        if self._policy.exceptions.proxy:
            self._policy.check_host(url.host)
        elif plain:
            await asyncio.to_thread(self._policy.locate, url.host, url.port or 80, plain=True)
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _translated(request):
            answer = await self._pool.handle_async_request(sent)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer, request),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Checked(httpcore.AsyncNetworkBackend):
    """Sockets to addresses that were checked, by whatever name they were asked for."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                address = await asyncio.to_thread(self._policy.locate, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        return await self._sockets.connect_tcp(
            address, port, timeout, local_address, socket_options
        )

    async def sleep(self, seconds: float) -> None:
        await self._sockets.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response, request: httpx.Request) -> None:
        self._answer = answer
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated(self._request):
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        with contextlib.suppress(RuntimeError):  # closed while it was being read
            await self._answer.aclose()


@contextmanager
def _translated(request: httpx.Request) -> Iterator[None]:
    """Raise the errors of httpcore as the httpx errors of the same names, which callers know."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        known = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise known(str(error) or type(error).__name__, request=request) from error
