"""Conversations as text: who said what and when, in Markdown. No I/O."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_STATES = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "asked for changes",
    "COMMENTED": "commented",
    "DISMISSED": "was dismissed",
    "PENDING": "has not finished",
}


def issue(fields: Mapping[str, Any], said: Mapping[str, Sequence[Any]], *, complete: bool) -> str:
    """An issue or pull request as REST lists it, with what was said by GraphQL.

    ``complete``: nothing of the conversation is known to be missing.
    """
    number, title = fields["number"], fields.get("title") or ""
    kind = "Pull request" if fields.get("pull_request") else "Issue"
    labels = [str(each.get("name") if isinstance(each, dict) else each) for each in _labels(fields)]
    about = [f"{kind} by {login(fields.get('user'))}", f"opened {day(fields.get('created_at'))}"]
    about.append(f"{fields.get('state', 'open')}{_why(fields)}")
    if labels:
        about.append(f"labels: {', '.join(labels)}")
    parts = [f"# {title} (#{number})", ", ".join(about), _clean(fields.get("body"))]
    parts += [_comment(each) for each in said.get("comments", ())]
    parts += filter(None, (_review(each) for each in said.get("reviews", ())))
    parts += [_thread(each) for each in said.get("reviewThreads", ())]
    if not complete:
        parts.append("(The comments are not here: GitHub gives them only to those it knows.)")
    return _joined(parts)


def discussion(fields: Mapping[str, Any], comments: Sequence[Any]) -> str:
    category = (fields.get("category") or {}).get("name") or "no category"
    about = (
        f"Discussion by {login(fields.get('author'))}, opened {day(fields.get('createdAt'))}, "
        f"in {category}"
    )
    parts = [f"# {fields.get('title') or ''} (#{fields['number']})", about]
    parts.append(_clean(fields.get("body")))
    answer = fields.get("answer")
    if answer:
        parts.append(f"## Answer by {login(answer.get('author'))}\n\n{_clean(answer.get('body'))}")
    for each in comments:
        parts.append(_comment(each))
        parts += [_reply(reply) for reply in _nodes(each, "replies")]
        parts += _rest(each, "replies")
    return _joined(parts)


def release(fields: Mapping[str, Any]) -> str:
    tag, name = str(fields.get("tag_name") or ""), str(fields.get("name") or "")
    title = name if tag in name else f"{name} {tag}".strip()
    about = f"Release by {login(fields.get('author'))}, {day(fields.get('published_at'))}"
    return _joined([f"# {title}", about, _clean(fields.get("body"))])


def bounded(text: str, max_bytes: int) -> bytes:
    """The text, or as much of it as fits, saying so."""
    whole = text.encode(errors="replace")
    if len(whole) <= max_bytes:
        return whole
    end = f"\n\n(… and {len(whole) - max_bytes:,} bytes more)\n"
    return (
        whole[: max(max_bytes - len(end.encode()), 0)].decode(errors="ignore").encode()
        + end.encode()
    )


def login(who: object) -> str:
    """A deleted account has no name any more; GitHub shows it as a ghost."""
    name = who.get("login") if isinstance(who, dict) else None
    return str(name) if name else "ghost"


def day(moment: object) -> str:
    return str(moment)[:10] if moment else "at some time"


def _labels(fields: Mapping[str, Any]) -> Sequence[Any]:
    return fields.get("labels") or ()


def _why(fields: Mapping[str, Any]) -> str:
    if (fields.get("pull_request") or {}).get("merged_at"):
        return ", merged"
    reason = str(fields.get("state_reason") or "").replace("_", " ")
    return f" ({reason})" if reason and fields.get("state") == "closed" else ""


def _comment(each: Mapping[str, Any]) -> str:
    who, when = login(each.get("author")), day(each.get("createdAt"))
    return f"## {who}, {when}\n\n{_clean(each.get('body'))}"


def _reply(each: Mapping[str, Any]) -> str:
    who, when = login(each.get("author")), day(each.get("createdAt"))
    return f"### {who}, {when}\n\n{_clean(each.get('body'))}"


def _review(each: Mapping[str, Any]) -> str:
    state, body = str(each.get("state")), _clean(each.get("body"))
    if not body and state == "COMMENTED":
        return ""  # only the frame around its threads
    verb = _STATES.get(state, state.lower())
    return f"## Review: {login(each.get('author'))} {verb}, {day(each.get('createdAt'))}\n\n{body}"


def _thread(each: Mapping[str, Any]) -> str:
    replies = _nodes(each, "comments")
    state = "resolved" if each.get("isResolved") else "open"
    line = f":{each['line']}" if each.get("line") else ""
    parts = [f"## On {each.get('path')}{line} ({state})"]
    hunk = str(replies[0].get("diffHunk") or "") if replies else ""
    if hunk:
        fence = "`" * (3 if "```" not in hunk else 8)
        parts.append(f"{fence}diff\n{hunk}\n{fence}")
    parts += [_reply(reply) for reply in replies]
    parts += _rest(each, "comments")
    return _joined(parts).rstrip()


def _nodes(each: Mapping[str, Any], name: str) -> Sequence[Any]:
    return [node for node in (each.get(name) or {}).get("nodes") or () if node]


def _rest(each: Mapping[str, Any], name: str) -> Iterator[str]:
    left = ((each.get(name) or {}).get("totalCount") or 0) - len(_nodes(each, name))
    if left > 0:
        yield f"(… and {left:,} more)"


def _clean(text: object) -> str:
    return str(text or "").replace("\r\n", "\n").strip()


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"
