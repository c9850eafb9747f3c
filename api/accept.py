"""Which of the types that are offered a client wants most: RFC 9110, section 12.5.1."""

from collections.abc import Sequence


def best(accept: str | None, offered: Sequence[str]) -> str | None:
    """The offer with the highest weight, the earlier of equals; None if none is acceptable."""
    if not accept or not accept.strip():
        return offered[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    weights = {each: _weight(each, ranges) for each in offered}
    wanted = max(offered, key=lambda each: weights[each])
    return wanted if weights[wanted] > 0 else None


def _range(part: str) -> tuple[str, float]:
    media, *parameters = (piece.strip().lower() for piece in part.split(";"))
    weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return media, float(weight)
    except ValueError:
        return media, 0.0


def _weight(media: str, ranges: Sequence[tuple[str, float]]) -> float:
    """What the most specific range that covers the type says of it."""
    covers = {media: 2, f"{media.partition('/')[0]}/*": 1, "*/*": 0}
    fitting = [(covers[name], weight) for name, weight in ranges if name in covers]
    return max(fitting, default=(0, 0.0))[1]
