"""What answers about keeping connections fresh look like: see ``api.examples``."""

from collections.abc import Mapping
from typing import Any

CONNECTION_ID = "01936f2e-7b1c-7d42-9a51-2f6f0c1d5b10"
RUN_ID = "01936f2f-02aa-7c11-8e0d-6b2d9e4f7a21"
AT = "2026-11-23T09:30:00+00:00"
TICK = {
    "due_at": "2026-11-23T05:00:00+00:00",
    "fired_at": "2026-11-23T05:02:11+00:00",
    "outcome": "started",
    "run_id": RUN_ID,
    "missed": 0,
}
SCHEDULE = {
    "connection_id": CONNECTION_ID,
    "cron": "0 6 * * 1-5",
    "time_zone": "Europe/Paris",
    "interval_seconds": None,
    "jitter_seconds": 300,
    "paused": False,
    "held": None,
    "next_at": "2026-11-24T05:03:40+00:00",
    "last": TICK,
}

DELETION = {
    "id": "01936f40-11aa-7c11-8e0d-6b2d9e4f7a21",
    "connection_id": CONNECTION_ID,
    "partition": "files",
    "run_id": RUN_ID,
    "artifacts": 206,
    "total": 412,
    "reason": "many",
    "found_at": AT,
    "decision": None,
    "decided_at": None,
}

ERASURE = {
    "id": "01936f50-21aa-7c11-8e0d-6b2d9e4f7a21",
    "connection_id": CONNECTION_ID,
    "step": "done",
    "revoked": True,
    "counts": {"runs": 3, "artifacts": 412, "blobs": 398, "ledger": 396, "connections": 1},
    "requested_at": AT,
    "finished_at": "2026-11-23T09:30:07+00:00",
}

CHANGES = {
    "run_id": RUN_ID,
    "status": "succeeded",
    "finished_at": AT,
    "added": 3,
    "updated": 5,
    "deleted": 1,
    "unchanged": 401,
    "skipped": 3,
    "failed": 0,
    "links": {"run": f"/v1/runs/{RUN_ID}", "receipt": f"/v1/runs/{RUN_ID}/receipt"},
}
FRESHNESS = {
    "connection_id": CONNECTION_ID,
    "last_success_at": AT,
    "newest_artifact_at": "2026-11-22T18:12:00+00:00",
    "next_run_at": "2026-11-24T05:03:40+00:00",
    "last_run": CHANGES,
}

ANSWERS: Mapping[str, Any] = {
    "get_freshness": FRESHNESS,
    "erase_connection": {**ERASURE, "step": "data", "counts": {"runs": 1}, "finished_at": None},
    "get_erasure": ERASURE,
    "list_deletions": {"items": [DELETION], "next_cursor": None},
    "get_deletion": {**DELETION, "sample": ["journal/2025-01.md"]},
    "approve_deletion": {**DELETION, "decision": "approved", "decided_at": AT, "hidden": 206},
    "decline_deletion": {**DELETION, "decision": "declined", "decided_at": AT, "hidden": 0},
    "list_schedules": {"items": [SCHEDULE], "next_cursor": None},
    "get_schedule": {**SCHEDULE, "recent": [TICK]},
    "put_schedule": SCHEDULE,
    "pause_schedule": {**SCHEDULE, "paused": True, "next_at": None},
    "resume_schedule": SCHEDULE,
}
