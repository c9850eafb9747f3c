"""A drive as people fill it: folders, documents in them, a shared drive, and what others share."""

from random import Random

from connectors.drive.fake.world import ROOT, World

_GOOGLES = "application/vnd.google-apps."


def drive(world: World, *, files: int, seed: int = 1) -> None:
    dice = Random(seed)  # noqa: S311  # repeatable, and no secret
    shared = world.share("Team")
    folders = [ROOT, shared]
    for number in range(files):
        if dice.random() < 0.1:  # noqa: PLR2004
            folders.append(world.folder(f"Folder {number}", parent=dice.choice(folders)))
        mime = dice.choice([f"{_GOOGLES}document", "text/plain", "text/markdown"])
        parent = "" if dice.random() < 0.1 else dice.choice(folders)  # noqa: PLR2004
        world.add(f"Matter {number}", text(number), parent=parent, mime=mime)


def text(number: int) -> bytes:
    return f"# Matter {number}\n\nWhat was decided about matter {number}.\n".encode()
