"""A run in other protocols, over a real socket, to its end."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.serving import Story


async def said(response: httpx.Response) -> list[Any]:
    """The data of all events; what is no JSON as it is."""
    data = [
        line.removeprefix("data: ")
        async for line in response.aiter_lines()
        if line.startswith("data: ")
    ]
    return [json.loads(each) if each.startswith("{") else each for each in data]


async def test_ag_ui_follows_a_run_to_its_end(client: httpx.AsyncClient, story: Story) -> None:
    async with client.stream("GET", f"/v1/runs/{story.run}/events?format=ag-ui") as response:
        listening = asyncio.create_task(said(response))
        await story.start()
        await story.end()
        events = await listening

    kinds = [each["type"] for each in events]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert (kinds[0], kinds[1], kinds[-1]) == ("RUN_STARTED", "STATE_SNAPSHOT", "RUN_FINISHED")
    assert events[-1]["runId"] == str(story.run)
    assert events[-1]["outcome"] == {"type": "success"}


async def test_the_ai_sdk_is_told_by_a_header_and_hears_the_end(
    client: httpx.AsyncClient, story: Story
) -> None:
    await story.start()
    await story.end()

    async with client.stream("GET", f"/v1/runs/{story.run}/events?format=ai-sdk") as response:
        chunks = await said(response)

    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert [each["type"] for each in chunks[:-1]] == ["start", "data-run", "finish"]
    assert chunks[1]["data"]["status"] == "succeeded"
    assert chunks[-1] == "[DONE]"


@pytest.mark.parametrize("protocol", ["ag-ui", "ai-sdk"])
async def test_output_comes_in_them_too(
    client: httpx.AsyncClient, story: Story, protocol: str
) -> None:
    await story.start()
    await story.end()

    async with client.stream(
        "GET", f"/v1/runs/{story.run}/output", params={"format": protocol}
    ) as response:
        events = await said(response)

    assert events[0]["type"] in {"RUN_STARTED", "start"}
    assert [each for each in events if each != "[DONE]"][-1]["type"] in {"RUN_FINISHED", "finish"}


@pytest.mark.parametrize(
    ("given", "accept", "status"),
    [("ag-ui", "application/json", 406), ("smoke-signals", "text/event-stream", 422)],
)
async def test_what_cannot_be_said_is_refused(
    client: httpx.AsyncClient, story: Story, given: str, accept: str, status: int
) -> None:
    response = await client.get(
        f"/v1/runs/{story.run}/events", params={"format": given}, headers={"Accept": accept}
    )

    assert response.status_code == status
