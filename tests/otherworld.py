"""Gmail as others have written it, behind a proxy that stands for Google's own addresses."""

import asyncio
import re
import ssl
import sys
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import httpx

from connectors.egress import Exceptions
from tests.prefect_fixtures import free_port
from tests.waiting import wait_until

OWNER = "ann@example.org"
ENVIRONMENT = f"""
name: lab
task: read
servers:
  gmail:
    noise: {{emails: 30}}
    seed:
      user: {{email: {OWNER}, name: Ann}}
      emails:
        - {{id: m1, from: bob@example.org, to: [{OWNER}], subject: Lease, body: "It is renewed.",
           date: "2026-09-26T09:04:00Z", labels: [INBOX]}}
agents:
  agent: {{as: {OWNER}, servers: [gmail]}}
"""


@dataclass(frozen=True, slots=True)
class Otherworld:
    """``exceptions`` lead to it, as they would lead through a company's proxy."""

    token: str
    exceptions: Exceptions

    async def receive(self, subject: str, body: str) -> str:
        """A mail that comes now; answers Gmail's id of it."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "eve@example.org", OWNER, subject
        mail.set_content(body)
        raw = urlsafe_b64encode(mail.as_bytes()).decode()
        async with self._web() as web:
            answer = await web.post("messages", json={"raw": raw, "labelIds": ["INBOX"]})
        return str(answer.raise_for_status().json()["id"])

    async def mails(self) -> set[str]:
        """What there is but drafts, one by one."""
        async with self._web() as web:
            listed = (await web.get("messages", params={"maxResults": 500})).json()["messages"]
            found = [(await web.get(f"messages/{each['id']}")).json() for each in listed]
        return {each["id"] for each in found if "DRAFT" not in each["labelIds"]}

    def _web(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url="https://gmail.googleapis.com/gmail/v1/users/me",
            headers={"authorization": f"Bearer {self.token}"},
            proxy=self.exceptions.proxy,
            verify=self.exceptions.web_trust,
        )


@asynccontextmanager
async def otherworld(home: Path) -> AsyncGenerator[Otherworld]:
    (home / "lab.yaml").write_text(ENVIRONMENT)
    gateway = free_port()
    log = home / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("myworld")),
            *("serve", "--host", "127.0.0.1", "--port", str(free_port()), "--env", "lab.yaml"),
            *("--gateway", str(gateway), "--gateway-bind", "127.0.0.1", "--no-passthrough"),
            *("--ca-dir", str(home / "ca")),
            cwd=home,
            stdout=output,
            stderr=output,
        )
    try:
        await wait_until(lambda: "Uvicorn running" in log.read_text(), within_seconds=60)
        said = re.search(r"GOG_ACCESS_TOKEN=(\S+)", log.read_text())
        assert said is not None
        trust = ssl.create_default_context(cafile=home / "ca" / "myworld-ca.pem")
        yield Otherworld(said[1], Exceptions(proxy=f"http://127.0.0.1:{gateway}", trust=trust))
    finally:
        process.kill()
        await process.wait()
