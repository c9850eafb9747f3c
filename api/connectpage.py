"""What the connect page shows of a session, as plain values."""

from typing import Any

from api.doors import spec_of
from api.notices import worded
from connectors import catalog
from connectors.access import CredentialKind
from connectors.connector import Plan, Scope, Spec
from connectors.locksmith import Locksmith
from storage.connecting import Session, Step
from storage.connections import Connection

Shown = dict[str, Any]


def shown(session: Session, connection: Connection | None, locksmith: Locksmith) -> Shown:
    spec = None if session.kind is None else spec_of(session.kind)
    choosing = session.step is Step.CHOOSING
    return {
        "id": str(session.id),
        "owner": session.owner,
        "step": session.step,
        "source": None if spec is None else source(spec, locksmith),
        "sources": [source(each, locksmith) for each in catalog.specs().values()]
        if choosing
        else [],
        "connection": None
        if connection is None
        else {"id": str(connection.id), "title": connection.title},
        "notice": None if session.notice is None else worded(session.notice, spec),
        "run_id": None if session.run is None else str(session.run),
        "return_to": session.return_to,
    }


def source(spec: Spec, locksmith: Locksmith) -> Shown:
    """``consent`` is null where no grant can be asked for; ``forms`` are ways without one."""
    return {
        "kind": spec.kind,
        "title": spec.title,
        "description": spec.description,
        "config_schema": spec.config.model_json_schema(),
        "forms": sorted(spec.credentials - {CredentialKind.OAUTH}),
        "consent": _consent(spec, locksmith),
    }


def scope(found: Scope) -> Shown:
    return {
        "key": found.key,
        "title": found.title,
        "detail": found.detail,
        "artifacts": found.artifacts,
        "size_bytes": found.size_bytes,
    }


def plan(made: Plan) -> Shown:
    """Sums, and whether they are of everything: a source may not know the size of all its parts."""
    counts = [each.artifacts for each in made.partitions]
    sizes = [each.size_bytes for each in made.partitions]
    return {
        "partitions": len(made.partitions),
        "artifacts": sum(each or 0 for each in counts),
        "size_bytes": sum(each or 0 for each in sizes),
        "counted": None not in counts,
        "weighed": None not in sizes,
        "calls": made.calls,
    }


def _consent(spec: Spec, locksmith: Locksmith) -> Shown | None:
    client = locksmith.client(spec)
    if spec.consent is None or client is None:
        return None
    return {
        "provider": spec.consent.provider,
        "title": client.provider.title,
        "permissions": [
            {"scope": each.scope, "reason": each.reason, "required": each.required}
            for each in spec.consent.permissions
        ],
    }
