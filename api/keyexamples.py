"""What answers about keys look like: see ``api.examples``."""

from collections.abc import Mapping
from typing import Any

from api.upkeepexamples import AT

KEY = {
    "id": "01936f60-51aa-7c11-8e0d-6b2d9e4f7a21",
    "prefix": "4fGk20PqLm9x",
    "name": "search",
    "owner": None,
    "scopes": ["search:read"],
    "created_at": AT,
    "expires_at": None,
    "revoked_at": None,
    "used_at": None,
}
MADE = {**KEY, "key": "hw_4fGk20PqLm9x_<32 characters>_<8 characters>"}

ANSWERS: Mapping[str, Any] = {
    "list_keys": {"items": [{**KEY, "used_at": AT}], "next_cursor": None},
    "create_key": MADE,
    "rotate_key": MADE,
}
