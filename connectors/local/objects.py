"""The contents of a repository's objects, many at once over one long-lived ``cat-file``."""

import asyncio
from asyncio import IncompleteReadError
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.errors import ConnectorError, SourceInvalid
from connectors.local import protocol
from connectors.local.git import Git, stop

# So many requests fit into the smallest pipe a loaded kernel gives, so that writing them never
# waits for an answer that nobody reads yet.
_WINDOW = 64


@dataclass(slots=True)
class Objects:
    git: Git
    _child: Process | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, names: Sequence[str]) -> dict[str, bytes | ConnectorError]:
        """Read the objects of these names. One that cannot be read is an error in the answer."""
        answers: dict[str, bytes | ConnectorError] = {}
        pending = list(dict.fromkeys(names))
        async with self._turn:
            while pending:
                window = pending[:_WINDOW]
                told = await self._exchange(window)
                if len(told) < len(window):
                    # git ends at an object it cannot decode, so the first one unanswered is it.
                    told[window[len(told)]] = _unreadable("is damaged")
                answers |= told
                pending = pending[len(told) :]
        return answers

    async def close(self) -> None:
        if self._child:
            await stop(self._child)
        self._child = None

    async def _exchange(self, window: Sequence[str]) -> dict[str, bytes | ConnectorError]:
        told: dict[str, bytes | ConnectorError] = {}
        if self._child is None:
            self._child = await self.git.start("cat-file", "--batch", stdin=PIPE)
        requests, answers = self._child.stdin, self._child.stdout
        if requests is None or answers is None:  # started with both, a line above
            return told
        try:
            requests.write("".join(f"{name}\n" for name in window).encode())
            await requests.drain()
            for name in window:
                told[name] = await _answer(answers)
        except (IncompleteReadError, BrokenPipeError, ConnectionResetError):
            pass  # it ended: what it told before is good
        finally:
            # Also when we are cancelled: the next request must not get this one's answers.
            if len(told) < len(window):
                await self.close()
        return told


async def _answer(answers: asyncio.StreamReader) -> bytes | ConnectorError:
    header = await answers.readuntil(b"\n")
    size = protocol.object_size(header.decode().removesuffix("\n"))
    if size is None:
        return _unreadable("is not in the repository")
    content = await answers.readexactly(size)
    await answers.readexactly(1)
    return content


def _unreadable(what: str) -> SourceInvalid:
    return SourceInvalid(
        f"Its content {what}",
        action="Run git fsck in the repository; if the clone is partial or broken, clone it again.",
    )
