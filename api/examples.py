"""What answers look like, for the people who read ``docs/openapi.json``."""

from collections.abc import Mapping
from typing import Any

from api import hookexamples, keyexamples, upkeepexamples
from api.upkeepexamples import AT, CONNECTION_ID, RUN_ID

CONNECTION = {
    "id": CONNECTION_ID,
    "kind": "local",
    "owner": "local",
    "title": "notes",
    "config": {"path": "/home/ada/notes"},
    "created_at": AT,
    "credential": None,
}
COUNTS = {
    "found": 412,
    "processed": 396,
    "unchanged": 0,
    "skipped": {"binary": 12, "too_large": 1},
    "failed": {"undecodable": 3},
    "deleted": 0,
    "bytes": 1_843_200,
    "chunks": 1_210,
    "tokens": 421_377,
    "embedded": 1_210,
    "model_calls": 0,
}
READER = {
    "producer": "extractive/1",
    "model": None,
    "note": "Summaries are extracts: no language model is configured.",
}
RUN = {
    "id": RUN_ID,
    "connection_id": CONNECTION_ID,
    "workflow": "ingest",
    "title": "notes",
    "status": "running",
    "reason": None,
    "wish": None,
    "attempt": 1,
    "created_at": AT,
    "started_at": AT,
    "first_queryable_at": AT,
    "finished_at": None,
    "stages": [
        {"key": "find", "title": "Finding", "status": "done", "done": 412, "total": 412}
        | {"final": True},
        {"key": "read", "title": "Reading", "status": "active", "done": 38, "total": 412}
        | {"final": True},
    ],
    "counts": {**COUNTS, "processed": 38, "failed": {}, "skipped": {}},
    "rate": 61.5,
    "eta": {"low_seconds": 5, "high_seconds": 9},
    "activity": "Reading journal/2026-11.md",
    "searchable": 38,
    "latest": [{"id": 38, "title": "journal", "path": "journal/2026-11.md", "summary": "Rain."}],
    "failures": [],
    "reader": READER,
    "seq": 57,
}
FAILURE = {
    "title": "old.txt",
    "stage": "decode",
    "failure": "undecodable",
    "detail": "The text is in no encoding that we know.",
    "action": "Save the file as UTF-8, then start again.",
}
RECEIPT = {
    "run_id": RUN_ID,
    "connection_id": CONNECTION_ID,
    "title": "notes",
    "status": "succeeded_with_failures",
    "reason": None,
    "seconds": 7.4,
    "counts": COUNTS,
    "adds_up": True,
    "index": {"artifacts": 396, "chunks": 1_210},
    "failures": [FAILURE],
    "unread": [],
    "reader": READER,
}
ARTIFACT = {
    "id": 38,
    "connection_id": CONNECTION_ID,
    "external_id": "file:journal/2026-11.md",
    "kind": "file",
    "title": "journal",
    "path": "journal/2026-11.md",
    "url": None,
    "mime": "text/markdown",
    "size": 4_410,
    "status": "ready",
    "reason": None,
    "detail": None,
    "action": None,
    "reading": {"summary": "Rain.", "phrases": ["rain"], "language": "en"},
    "updated_at": AT,
}
HIT = {
    "artifact_id": 38,
    "connection_id": CONNECTION_ID,
    "title": "journal",
    "path": "journal/2026-11.md",
    "url": None,
    "symbol": "November > The flood",
    "start_line": 12,
    "end_line": 19,
    "snippet": "The river came up to the second step.",
    "summary": "Rain.",
    "score": 0.032,
}
CONNECTOR = {
    "kind": "local",
    "title": "Local folder or git repository",
    "description": "Files on the machine that Headwater runs on.",
    "config_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}
EVENT = {
    "seq": 58,
    "kind": "run.progress",
    "at": AT,
    "attempt": 1,
    "data": {},
    "patch": {"rate": 62.0, "searchable": 41},
}
CARDS = {
    "frames": [
        {"type": "cards", "runs": [{"run_id": RUN_ID, "connection_id": CONNECTION_ID}]},
        {"type": "event", "run_id": RUN_ID, **EVENT},
    ],
    "cursor": "AZNvLwKqfBGODWstnk96IQ58",
    "ended": False,
}
SSE = (
    "retry: 3000\n\n"
    'id: 57\nevent: snapshot\ndata: {"seq":57,"state":{"status":"running"},"ended":false}\n\n'
    'id: 58\nevent: event\ndata: {"seq":58,"kind":"run.progress","at":"2026-11-23T09:30:00+00:00",'
    '"attempt":1,"data":{},"patch":{"rate":62.0,"searchable":41}}\n\n'
    ": ping\n\n"
)
NDJSON = (
    '{"type":"snapshot","seq":57,"state":{"status":"running"},"ended":false}\n'
    '{"type":"event","seq":58,"kind":"run.progress","at":"2026-11-23T09:30:00+00:00",'
    '"attempt":1,"data":{},"patch":{"rate":62.0,"searchable":41}}\n'
)
STARTED = {
    "run": {**RUN, "status": "queued"},
    "events_url": f"/v1/runs/{RUN_ID}/events",
    "cursor": 0,
}

WORKFLOW = {
    "name": "brief",
    "version": 1,
    "title": "A brief",
    "description": "Says what a connection holds, with sources.",
    "input_schema": {
        "type": "object",
        "properties": {"connection_id": {"type": "string", "format": "uuid"}},
        "required": ["connection_id"],
    },
    "output_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
}
RESULT = {"text": "Mostly a journal of the garden [1].", "citations": []}
OUTPUT = {
    "attempt": 1,
    "status": "running",
    "text": "Mostly a journal of",
    "items": [],
    "output": None,
    "seq": 4,
}
WORKFLOW_RUN = {**RUN, "workflow": "brief", "title": "A brief", "status": "queued"}

DEPLOYMENT = {
    "active": "1.4.0",
    "ramp": {"version": "1.5.0", "percent": 10},
    "versions": [
        {"version": "1.3.2", "role": "drained", "workers": 2, "held": 0, "queued": 0},
        {"version": "1.4.0", "role": "active", "workers": 4, "held": 9, "queued": 3},
        {"version": "1.5.0", "role": "ramping", "workers": 1, "held": 1, "queued": 0},
    ],
    "history": [
        {"at": AT, "active": "1.4.0", "ramp": None},
        {"at": AT, "active": "1.4.0", "ramp": {"version": "1.5.0", "percent": 10}},
    ],
}

CONNECT_SESSION = {
    "id": "01936f2e-1111-7d42-9a51-2f6f0c1d5b10",
    "owner": "ada",
    "kind": "github",
    "step": "started",
    "connection_id": CONNECTION_ID,
    "run_id": RUN_ID,
    "expires_at": AT,
}
AUDIT = {"action": "refreshed", "actor": f"run:{RUN_ID}", "detail": "", "at": AT}
BUDGET = {"month_usd": "50", "run_usd": "2.5"}
USED = {
    "component": "read",
    "model": "gpt-4.1-mini",
    "calls": 61,
    "input_tokens": 210_400,
    "cached_tokens": 48_000,
    "output_tokens": 31_900,
    "cost_usd": "0.120840000",
    "unpriced": 0,
}

ESTIMATE = {
    "artifacts": 412,
    "ingested": 0,
    "partitions": [
        {"key": "files", "title": "notes", "artifacts": 412, "size_bytes": 1_843_200},
    ],
    "tokens": {"low": 230_400, "high": 614_400},
    "model": "gpt-4.1-mini",
    "embedding_model": None,
    "model_calls": {"low": 412, "high": 412},
    "billed_tokens": {"low": 650_640, "high": 1_191_200},
    "cost_usd": {"low": "0.319536000", "high": "0.723680000"},
    "prices": "https://platform.openai.com/docs/pricing, 2026-03-10",
    "seconds": {"low": 149, "high": 310},
    "notes": [],
}

ANSWERS: Mapping[str, Any] = {
    "estimate": ESTIMATE,
    "give_token": {"token": "hwc_8vS1q0...", "expires_at": AT},
    "give_ticket": {"ticket": "hwt_Jd02xk...", "expires_at": AT},
    **upkeepexamples.ANSWERS,
    **hookexamples.ANSWERS,
    **keyexamples.ANSWERS,
    "begin_connecting": {**CONNECT_SESSION, "url": "http://127.0.0.1:8420/connect#0193.c2Vj"},
    "get_connecting": CONNECT_SESSION,
    "list_audit": {"items": [AUDIT]},
    "disconnect": {"deleted": True, "revoked": True},
    "list_connectors": {"items": [CONNECTOR], "next_cursor": None},
    "connect": CONNECTION,
    "list_connections": {"items": [CONNECTION], "next_cursor": None},
    "get_connection": CONNECTION,
    "set_profile": {**CONNECTION, "profile": {"instructions": "Say which customer it is about."}},
    "get_budgets": BUDGET,
    "set_budgets": BUDGET,
    "set_run_budget": BUDGET,
    "get_usage": {"items": [USED], "cost_usd": USED["cost_usd"]},
    "start_run": STARTED,
    "cancel_run": {**RUN, "wish": "cancel"},
    "pause_run": {**RUN, "wish": "pause"},
    "resume_run": {**RUN, "status": "queued"},
    "retry_failed": STARTED,
    "answer_run": {**RUN, "status": "queued"},
    "list_workflows": {"items": [WORKFLOW], "next_cursor": None},
    "get_workflow": WORKFLOW,
    "start_workflow": {**STARTED, "run": WORKFLOW_RUN},
    "run_workflow": RESULT,
    "get_deployment": DEPLOYMENT,
    "deploy": DEPLOYMENT,
    "list_runs": {"items": [RUN], "next_cursor": "c2lnbmVk"},
    "get_run": RUN,
    "get_receipt": RECEIPT,
    "list_artifacts": {"items": [ARTIFACT], "next_cursor": None},
    "get_artifact": ARTIFACT,
    "search": {"items": [HIT]},
    "livez": {"state": "live"},
    "readyz": {
        "state": "ready",
        "checks": [
            {"name": "redis", "status": "ok", "detail": "Redis answers.", "action": None},
        ],
    },
}
"""By operation id."""
