"""Text fit to be shown on one line: a title, a name, a phrase."""


def plain(text: str, *, longest: int) -> str:
    """On one line, without control or invisible characters, not longer than that."""
    if len(text) <= longest and text.isprintable() and "  " not in text:
        return text.strip()
    line = text[: 4 * longest].strip()
    if not line.isprintable():
        line = "".join(c if c.isprintable() else " " for c in line)
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
