"""What can go wrong for a caller of the api, named by what the caller can do.

ClientError
├── ServerAway       nobody answers there: start Headwater, or check the address
└── Refusal          the server said no, and why
    ├── Invalid      the request is wrong: change it
    ├── NotAllowed   the key is missing, opens nothing any more, or may not do this
    ├── NotFound     there is no such thing
    ├── Conflict     something else is in the way
    └── Unavailable  the server cannot do it now: try again later
"""

from dataclasses import dataclass


class ClientError(Exception):
    """The call did not work. ``action`` tells the user what to do about it."""

    action: str | None = None


class ServerAway(ClientError):
    def __init__(self, base_url: str, cause: str) -> None:
        super().__init__(f"No Headwater answers at {base_url}: {cause}")
        self.base_url = base_url
        self.action = "Start it with `headwater up`, or check the address."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing that is wrong with a request."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The parts of a problem document."""

    status: int
    code: str
    title: str
    detail: str
    action: str | None = None
    request_id: str | None = None
    retryable: bool = False
    errors: tuple[Wrong, ...] = ()


class Refusal(ClientError):
    """The server said no; ``said`` holds its words."""

    def __init__(self, said: Said) -> None:
        super().__init__(said.detail or said.title)
        self.said = said
        self.action = said.action

    @property
    def code(self) -> str:
        return self.said.code


class Invalid(Refusal):
    pass


class NotAllowed(Refusal):
    pass


class NotFound(Refusal):
    pass


class Conflict(Refusal):
    pass


class Unavailable(Refusal):
    pass


def refusal(said: Said) -> Refusal:
    """The error that fits what the server said."""
    if said.status in {429, 503}:
        return Unavailable(said)
    kinds = {401: NotAllowed, 403: NotAllowed, 404: NotFound, 409: Conflict, 500: Refusal}
    kind = kinds.get(said.status, Invalid)
    return kind(said) if said.status <= 500 else Refusal(said)  # noqa: PLR2004  # a gateway's 502
