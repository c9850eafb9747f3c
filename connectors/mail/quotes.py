"""What a reply repeats of others, and how it ends: cut, where that loses nothing.

Quotations are found by quotequail. Signatures are cut by their sign in RFC 3676, 4.3, and where a
phone says that it is one: to guess them by their words (mail-parser-reply does) takes lists and
whole paragraphs for signatures, and minutes for a mail of empty lines.
"""

import re

import quotequail  # type: ignore[import-untyped]  # the wheel ships no types

_ALL_LINES = 10**9  # or what comes after so many would pass for quoted
_INTRODUCED = re.compile(
    r".{0,300}(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef|skrev|napisał\(?a?\)?|escreveu"
    r"|написал[(а)]{0,3})\b.{0,200}",  # noqa: RUF001  # Russian
    re.DOTALL,
)
_FIELDS = re.compile(r"^[> *]*[^\W\d]{2,12}\*? ?:", re.MULTILINE)
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_LONGEST_SIGNATURE = 15  # lines: what is longer than that is no signature
_PHONE = re.compile(
    r"\n(?:Sent from my |Sent from Outlook|Get Outlook for |Von meinem .{1,30} gesendet"
    r"|Envoyé de mon |Enviado desde mi |Inviato da |Verzonden vanaf mijn )[^\n]{0,60}\s*\Z"
)


def reply(text: str, *, known: bool) -> str:
    """The words of this mail's own. ``known`` if the mail that it answers is in the same inbox."""
    own = _without_quotation(text) if known else text
    return _without_signature(own).strip() or text.strip()


def _without_quotation(text: str) -> str:
    (_, shown), *rest = quotequail.quote(text, limit=_ALL_LINES, quote_intro_line=True)
    if not rest:
        return text
    quoted = rest[0][1]
    lines = quoted.split("\n")
    marked = [number for number, line in enumerate(lines) if line.startswith(">")]
    if not marked:
        # Outlook: a line, the fields of the other mail, and all of it up to the end. A mail that is
        # passed on to somebody is not an answer to it, so it may be known nowhere.
        return shown if _is_outlook(quoted) else text
    between = [line for line in lines[marked[0] :] if not line.startswith(">")]
    intro = "\n".join(lines[: marked[0]])
    lead = "" if _INTRODUCED.fullmatch(intro.strip()) else intro
    # Words between and under the quoted lines are answers to them.
    return "\n".join([shown, lead, *between])


def _is_outlook(quoted: str) -> bool:
    first = quoted.lstrip().partition("\n")[0].lower()
    passed_on = "forward" in first or "weitergeleitet" in first or "transféré" in first
    return not passed_on and len(_FIELDS.findall(quoted[:1_000])) >= 3  # noqa: PLR2004  # From, Sent, To


def _without_signature(text: str) -> str:
    signs = list(_SIGNATURE.finditer(text))
    if signs and text.count("\n", signs[-1].end()) <= _LONGEST_SIGNATURE:
        text = text[: signs[-1].start()]
    return _PHONE.sub("", text)
