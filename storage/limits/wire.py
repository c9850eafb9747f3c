"""A turn and its answer as JSON, as the script takes and gives them.

What is None is left out: Lua's JSON has a null that is true.
"""

import json
from typing import Any, cast

from storage.limits.keys import INBOX_KEEP_SECONDS, KEEP_SECONDS
from storage.limits.values import (
    Answer,
    Delivery,
    Dimension,
    Outcome,
    Reason,
    Terms,
    Ticket,
    TicketId,
    Turn,
)


def pack(turn: Turn) -> str:
    return json.dumps(
        {
            "process": turn.process,
            "terms": pack_terms(turn.terms),
            "enqueue": [_ticket(ticket) for ticket in turn.enqueue],
            "withdraw": turn.withdraw,
            "settle": [_result(ticket, outcome) for ticket, outcome in turn.settle],
            "beat": turn.beat,
            "leave": turn.leave,
            "resume": turn.resume,
            "lease": turn.terms.lease.total_seconds(),
            "keep": KEEP_SECONDS,
            "inbox_keep": INBOX_KEEP_SECONDS,
        }
    )


def unpack(text: str) -> Answer:
    said = cast(dict[str, Any], json.loads(text))
    return Answer(
        known=said["known"],
        granted=said["granted"],
        wait_seconds=None if said["wait"] < 0 else said["wait"],
        pause_seconds=said["pause"],
        down_seconds=said["down"],
        reason=Reason(said["reason"]) if said["reason"] else None,
        rates={Dimension(name): rate for name, rate in dict(said["rates"]).items()},
        processes=said["processes"],
        in_flight=said["in_flight"],
    )


def unpack_delivery(text: str) -> Delivery:
    return Delivery(ticket=TicketId(text[1:]), lapsed=text[0] == "-")


def pack_terms(terms: Terms) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "use": terms.use,
        "limits": {
            dimension.value: {
                "amount": limit.amount,
                "window": limit.window.total_seconds(),
                "learned": limit.learned,
            }
            for dimension, limit in terms.limits.items()
        },
        "concurrency": terms.concurrency or 0,
        "adaptive": terms.adaptive,
        "ramp_free": terms.ramp_free,
    }
    # one that differs from the last is a new configuration; what was learned is none
    print_ = "t" + json.dumps(packed, sort_keys=True)
    for dimension in terms.limits:
        packed["limits"][dimension.value]["amount"] = terms.amount(dimension)
    return {**packed, "print": print_}


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "id": ticket.id,
        "class": str(ticket.urgency.rank),
        "tenant": ticket.tenant,
        "cost": dict(ticket.cost),
    }


def _result(ticket: TicketId, outcome: Outcome) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "id": ticket,
        "ending": outcome.ending.value,
        "remaining": dict(outcome.remaining),
        "limits": dict(outcome.limits),
        "retry_after": outcome.retry_after.total_seconds() if outcome.retry_after else 0,
    }
    if outcome.charged is not None:
        packed["charged"] = dict(outcome.charged)
    if outcome.seconds is not None:
        packed["seconds"] = outcome.seconds
    return packed
