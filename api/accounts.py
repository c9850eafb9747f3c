"""What goes over the wire about accounts: connecting them, and what may be shown of credentials."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, SecretStr

from api.schemas import NO_NUL, Config, Json, Name, Request, Title, View


class ConnectorView(View):
    """A kind of source that can be connected."""

    kind: str
    title: str
    description: str
    config_schema: Json = Field(description="JSON Schema of `config` in POST /v1/connections")
    credentials: list[str] = Field(
        default_factory=list,
        description="Kinds of credential it takes: `none`, `token`, `oauth`, `password`, ...",
    )


class TokenRequest(Request):
    """A token made at the provider, pasted by its owner."""

    kind: Literal["token"]
    token: Annotated[SecretStr, Field(min_length=1, max_length=8_192)]


class PasswordRequest(Request):
    """A user with a password, better one made for Headwater alone."""

    kind: Literal["password"]
    user: Annotated[str, Field(min_length=1, max_length=320, pattern=NO_NUL)]
    password: Annotated[SecretStr, Field(min_length=1, max_length=1_024)]


class InstallationRequest(Request):
    """A place where the operator's GitHub App is installed; its key is in the settings."""

    kind: Literal["installation"]
    installation_id: Annotated[int, Field(ge=1)]


CredentialRequest = Annotated[
    TokenRequest | PasswordRequest | InstallationRequest, Field(discriminator="kind")
]


class CredentialView(View):
    """What may be shown of a credential. ``needs`` says why it does not open the account."""

    kind: str
    needs: str | None = Field(
        default=None, description="`revoked`, `expired`, `password_changed`, `scope_reduced`, ..."
    )


class ConnectionRequest(Request):
    """A source to ingest. The same source connected again by the same owner is the same one."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "local", "config": {"path": "/home/ada/notes"}}]}
    )

    kind: Name
    config: Config = Field(description="What the connector's `config_schema` asks for")
    owner: Name = Field(default="local", description="Whose source it is: a name of your choosing")
    title: Title | None = None
    credential: CredentialRequest | None = Field(
        default=None,
        description="What opens the account; never answered. For OAuth, use a connect session",
    )


class ConnectionView(View):
    """An account or place somebody connected. Secrets in its configuration read `***`."""

    id: UUID
    kind: str
    owner: str
    title: str
    config: Json
    profile: Json | None = Field(
        default=None, description="What a model is asked besides: `instructions`, `schema`"
    )
    created_at: datetime
    credential: CredentialView | None = None


class ConnectSessionRequest(Request):
    """A way for one owner to connect an account in a browser, without any key of yours."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"owner": "ada", "kind": "github"}]})

    owner: Name = Field(default="local", description="Whose account it will be")
    kind: Name | None = Field(default=None, description="Of the source; null lets the owner choose")
    connection_id: UUID | None = Field(
        default=None, description="A connection of this owner whose access has to be renewed"
    )
    return_to: Annotated[str, Field(max_length=2_000)] | None = Field(
        default=None, description="Where the page leads at its end: of HEADWATER_RETURN_ORIGINS"
    )


class ConnectSessionView(View):
    """How far an owner has come. ``run_id`` is there once the ingestion was started."""

    id: UUID
    owner: str
    kind: str | None = None
    step: str = Field(description="`choosing`, `consenting`, `selecting`, `started`")
    connection_id: UUID | None = None
    run_id: UUID | None = None
    expires_at: datetime


class ConnectSessionMade(ConnectSessionView):
    """``url`` is for the owner's browser alone: the first one that opens it has the session."""

    url: str


class AuditView(View):
    """What was done with a connection's credential, by whom and when; nothing of it."""

    action: str
    actor: str
    detail: str = ""
    at: datetime


class AuditPage(View):
    items: list[AuditView]


class Disconnected(View):
    """``revoked``: the provider was told; if not, the owner can do so there."""

    deleted: bool
    revoked: bool


class ErasureView(View):
    """What becomes of a connection that is erased, and at last the receipt of it."""

    id: UUID
    connection_id: UUID
    step: str = Field(
        description="What is being erased: `data`, `streams`, `orchestrator`, `files`; or `done`"
    )
    revoked: bool = Field(description="The provider was told; if not, its owner can do so there")
    counts: dict[str, int] = Field(description="Rows that were erased, by what they were")
    requested_at: datetime
    finished_at: datetime | None = None
