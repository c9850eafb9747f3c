"""What a page hides from its reader: by its styles, its attributes, its colours or its size.

Judged element by element, as far as it needs no layout. Text that a reader does not see is written
for machines: preview lines, counters, and orders to a model.
"""

import re
from collections.abc import Mapping

_NEVER_SHOWN = frozenset({
    "head", "script", "style", "title", "template", "noscript", "object", "embed", "iframe", "svg",
    "math", "canvas", "audio", "video", "select", "textarea", "-comment", "datalist", "meta",
    "link",
})  # fmt: skip
_HIDING = re.compile(
    r"display:none|visibility:(?:hidden|collapse)|mso-hide:all|(?:^|;)opacity:0?\.?0*(?:;|!|$)"
    r"|text-indent:-\d{3,}|(?:^|;)(?:left|top|right):-\d{3,}|clip:rect\(0|transform:scale\(0"
)
_FLAT = re.compile(r"(?:^|;)(?:max-)?(?:height|width):0(?:px|pt|em|%)?(?:;|!|$)")
_SIZE = re.compile(r"(?:^|;)font(?:-size:|:[^;]*?(?<![\w.]))(\d*\.?\d+)(px|pt|r?em|%|(?=[;!/]|$))")
_COLOUR = re.compile(r"(?:^|;)color:([^;!]+)")
_GROUND = re.compile(r"(?:^|;)background(?:-color)?:([^;!]+)")
_CLASS_RULE = re.compile(r"([^{}@]+)\{([^{}]*)\}")
_AT_RULE = re.compile(r"@[^{};]*(?:;|\{(?:[^{}]|\{[^{}]*\})*\})")
_SIMPLE = re.compile(r"(?:[a-z]+)?([.#][\w-]+)")
_RGB = re.compile(r"rgba?\((\d+),(\d+),(\d+)(?:,[\d.]+)?\)")
_NAMED = {"white": "ffffff", "black": "000000", "snow": "fffafa", "ivory": "fffff0"}
_ALMOST = 24  # of 255: a difference that nobody sees
_TINY = 2.0  # px or pt
_MOST_STYLE = 100_000

Colour = tuple[int, int, int]
WHITE: Colour = (255, 255, 255)
Attributes = Mapping[str, str | None]


def hidden_names(sheets: str) -> frozenset[str]:
    """Classes and ids that a style sheet hides everywhere: rules for some screens do not count."""
    names: set[str] = set()
    for selectors, body in _CLASS_RULE.findall(_AT_RULE.sub("", sheets[:_MOST_STYLE])):
        if _HIDING.search(_squeezed(body)):
            names.update(
                match[1]
                for selector in selectors.split(",")
                if (match := _SIMPLE.fullmatch(selector.strip()))
            )
    return frozenset(names)


def is_hidden(tag: str, attributes: Attributes, names: frozenset[str]) -> bool:
    """Whether the element and all that is in it is out of sight, whatever stands around it."""
    if tag in _NEVER_SHOWN or "hidden" in attributes:
        return True
    if (attributes.get("aria-hidden") or "").lower() == "true":
        return True
    called = {f".{name}" for name in (attributes.get("class") or "").split()}
    called.add(f"#{attributes.get('id')}")
    style = _squeezed(attributes.get("style") or "")
    flat = "overflow:hidden" in style and _FLAT.search(style)
    return bool(called & names or flat or _HIDING.search(style))


def colours(
    tag: str, attributes: Attributes, *, ink: Colour | None, ground: Colour
) -> tuple[Colour | None, Colour]:
    """The colour of the text in the element, None for none, and of what it stands on."""
    style = _squeezed(attributes.get("style") or "")
    inked, grounded = _COLOUR.search(style), _GROUND.search(style)
    if inked and inked[1] == "transparent":
        ink = None
    elif inked or tag == "font":
        ink = _colour(inked[1] if inked else attributes.get("color") or "") or ink
    own = _colour(grounded[1]) if grounded else _colour(attributes.get("bgcolor") or "")
    return ink, own or ground


def is_tiny(attributes: Attributes, *, inherited: bool) -> bool:
    """Whether text is too small to be read. Templates set it on a frame and undo it within."""
    match = _SIZE.search(_squeezed(attributes.get("style") or ""))
    if match is None:
        return inherited
    size = float(match[1])
    return size == 0 or (match[2] in {"px", "pt"} and size <= _TINY)


def alike(one: Colour, other: Colour) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= _ALMOST


def _squeezed(style: str) -> str:
    return re.sub(r"\s+|/\*.*?\*/", "", style[:5_000].lower())


def _colour(text: str) -> Colour | None:
    text = text.strip().lower()
    if match := _RGB.match(text):
        return int(match[1][:3]), int(match[2][:3]), int(match[3][:3])
    digits = _NAMED.get(text.split("url")[0], text.lstrip("#"))
    if re.fullmatch("[0-9a-f]{3}", digits):
        digits = "".join(digit * 2 for digit in digits)
    if not re.fullmatch("[0-9a-f]{6}", digits):
        return None
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
