"""What both transports agree on: how long to wait, and which cuts are worth a second try."""

import httpx

OK = 200
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(30.0, connect=5.0, read=45.0)
"""A quiet stream still pings every 15 s: three silent ones mean that the line is dead."""

GIVE_UP_AFTER_SECONDS = 60.0
"""How long a follower tries to reach a server that is away."""

CUT = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""The connection broke under the call: an idle one that the server had closed, most often."""
