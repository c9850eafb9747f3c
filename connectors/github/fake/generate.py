"""A repository of any size, the same one for the same numbers, in seconds."""

import random

from connectors.github.fake.world import Account, Comment, Repo, Review, Talk, World

_WORDS = (
    "stream", "cursor", "page", "worker", "ledger", "index", "retry", "deadline", "ticket", "queue",
    "commit", "archive", "branch", "parser", "cache", "buffer", "socket", "thread", "handler",
)  # fmt: skip
_FOLDERS = ("src", "src/core", "src/net", "lib", "docs", "tests", "tools", "examples")


def fill(
    world: World, full_name: str, *, files: int, issues: int, comments: int, seed: int = 1
) -> Repo:
    """One issue in four is a pull request with a review."""
    chance = random.Random(seed)  # noqa: S311  # the same content each time, nothing secret
    content = {"README.md": f"# {full_name}\n\n{_prose(chance, 60)}\n".encode()}
    for number in range(files - 1):
        folder = _FOLDERS[number % len(_FOLDERS)]
        name = f"{folder}/part{number // 500}/{_WORDS[number % len(_WORDS)]}_{number}.py"
        content[name] = f'"""{_prose(chance, 30)}"""\n\nNUMBER = {number}\n'.encode()
    repo = world.add_repo(full_name, content)
    talks = [_talk(world, repo, chance, number) for number in range(1, issues + 1)]
    for number in range(comments):
        talk = talks[number % len(talks)] if talks else None
        if talk is not None:
            when = world.tick()
            talk.comments.append(Comment(world.next_id(), "bob", _prose(chance, 25), when, when))
            talk.updated = when
    return repo


def _talk(world: World, repo: Repo, chance: random.Random, number: int) -> Talk:
    talk = Talk(
        number,
        _prose(chance, 5).capitalize(),
        _prose(chance, 40),
        "ada",
        world.tick(),
        world.now,
        is_pull=number % 4 == 0,
    )
    if talk.is_pull:
        talk.reviews.append(Review("eve", _prose(chance, 8), "APPROVED", world.now))
    repo.talks[number] = talk
    return talk


def demo(
    world: World, token: str, *, files: int, issues: int, comments: int, discussions: int = 1
) -> None:
    world.accounts[token] = Account("ada")
    repo = fill(world, "acme/demo", files=files, issues=issues, comments=comments)
    world.release(repo, "v1.0", "The first one.")
    for _ in range(discussions):
        talk = world.discuss(repo, "Where to begin?", "I am new here.")
        world.comment(talk, "With the README.")


def _prose(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words))
