"""A stand-in for Google where it signs pushes: its certificates, and tokens by their keys."""

import base64
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from connectors.hearing import HintSettings
from storage.clock import now
from tests.loopback import listening

AUDIENCE = "https://headwater.example.com/v1/hints/gmail"
ACCOUNT = "push@project.iam.gserviceaccount.com"
TOPIC = "projects/project/topics/mail"


@cache
def keys(number: int) -> tuple[str, str]:
    """A private key and its certificate, as PEM. The same number is the same key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"fake {number}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass(slots=True)
class Google:
    """``asked`` counts how often its certificates were wanted; ``away``: it does not answer."""

    asked: int = 0
    away: bool = False
    origin: str = ""
    names: tuple[str, ...] = field(default=("one",))

    @property
    def settings(self) -> HintSettings:
        return HintSettings.model_validate(
            {
                "gmail_push_audience": AUDIENCE,
                "gmail_push_account": ACCOUNT,
                "gmail_push_topic": TOPIC,
                "gmail_push_certificates": f"{self.origin}/certs",
            }
        )

    def headers(self, *, key: int = 1, name: str = "one", **claims: Any) -> dict[str, str]:
        """Of a push, signed by the key of this number under a name, with these claims changed."""
        at = int(time.time())
        said = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": ACCOUNT,
            "email_verified": True,
            "sub": "1",
            "iat": at,
            "exp": at + 3_600,
            **claims,
        }
        signer = crypt.RSASigner.from_string(keys(key)[0], name)  # type: ignore[no-untyped-call]
        token = jwt.encode(signer, said).decode()  # type: ignore[no-untyped-call]
        return {"authorization": f"Bearer {token}", "content-type": "application/json"}

    async def certificates(self, _: Request) -> JSONResponse:
        self.asked += 1
        if self.away:
            return JSONResponse({"error": "away"}, 503)
        return JSONResponse({name: keys(1)[1] for name in self.names})


@asynccontextmanager
async def google() -> AsyncGenerator[Google]:
    it = Google()
    app = Starlette(routes=[Route("/certs", it.certificates)])
    async with listening(app) as origin:
        it.origin = origin
        yield it


def push(address: str, history: object, *, name: str | None = None) -> bytes:
    """The body of a push: what Gmail told, in what Pub/Sub makes of it."""
    told = json.dumps({"emailAddress": address, "historyId": history}).encode()
    message = {
        "data": base64.b64encode(told).decode(),
        "messageId": name or str(uuid4()),
        "publishTime": "2026-11-02T10:00:00Z",
    }
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()
