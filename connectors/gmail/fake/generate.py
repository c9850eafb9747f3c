"""A mailbox of mails as people write them: conversations, some of them long, most of them short."""

from random import Random

from connectors.gmail.fake.world import World


def mailbox(world: World, *, messages: int, seed: int = 1, mean: float = 5.0) -> None:
    """Fill it with conversations that are ``mean`` mails long, under way at the same time."""
    dice = Random(seed)  # noqa: S311  # repeatable, and no secret
    threads: list[list[int]] = []
    numbers: dict[int, str] = {}
    for number in range(messages):
        answers = threads and dice.random() > 1 / mean
        thread = dice.choice(threads[-40:]) if answers else []
        first = numbers[thread[0]] if thread else ""
        parent = thread[-1] if thread else None
        numbers[number] = world.deliver(mail(number, parent), thread=first)
        thread.append(number)
        if not answers:
            threads.append(thread)


def mail(number: int, parent: int | None = None, body: str = "") -> bytes:
    answering = "" if parent is None else f"In-Reply-To: <{parent}@example.org>\r\n"
    return (
        f"From: Bob <bob@example.org>\r\nTo: ann@example.org\r\nSubject: Matter {number}\r\n"
        f"Message-ID: <{number}@example.org>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
        f"{answering}\r\n{body or f'What I think of matter {number}.'}\r\n"
    ).encode()
