"""What the duties of a worker have in common: they come to each thing that is due."""

from pipelines.rounds import come_to
from storage.errors import RunStopping


async def test_one_that_must_wait_holds_up_no_other() -> None:
    async def do(number: int) -> str | None:
        if number == 1:
            raise RunStopping("It is being cancelled.")
        return None if number == 2 else f"done {number}"

    assert await come_to(range(4), do, waits="test.waits") == ["done 0", "done 3"]
