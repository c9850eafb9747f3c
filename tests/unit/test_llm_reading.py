"""What a model makes of texts, and what becomes of a text that it makes nothing of."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from pipelines.errors import MustWait
from pipelines.ledger import MemoryLedger
from pipelines.llm.errors import (
    AnswerCut,
    AnswerLost,
    AnswerMalformed,
    CallRejected,
    ModelError,
    Refused,
    TooLong,
)
from pipelines.llm.gateway import Call, Caller
from pipelines.llm.outcomes import Outcome, Read, Unread
from pipelines.llm.prompts import load
from pipelines.llm.questions import PART_TOKENS, Asking, Text
from pipelines.llm.reading import ModelReader
from pipelines.llm.scripted import Reaction, ScriptedGateway, reads
from storage.clock import now
from storage.events import WaitingReason
from storage.ids import LOCAL_TENANT
from storage.profiles import Profile

CALLER = Caller(purpose="read", tenant=LOCAL_TENANT)


def reader(
    gateway: ScriptedGateway, profile: Profile | None = None, model: str = "m"
) -> ModelReader:
    asking = Asking(model=model, profile=profile or Profile(), caller=CALLER)
    return ModelReader(gateway=gateway, asking=asking)


def text(said: str, *, tokens: int | None = None) -> Text:
    digest = hashlib.sha256(said.encode()).hexdigest()
    return Text(digest=digest, name="a.txt", text=said, tokens=tokens or len(said) // 4 + 1)


def documents(call: Call) -> list[Mapping[str, str]]:
    return list(json.loads(call.content)["documents"])


def value(outcome: Outcome) -> Mapping[str, Any]:
    assert isinstance(outcome, Read), outcome
    return outcome.value


def failing(error: type[ModelError], *, on: str) -> ScriptedGateway:
    """Cannot answer about a text with this word in it, and reads all others."""

    def react(call: Call) -> Reaction:
        if on in call.content:
            return error("It went wrong", model="m")
        return reads(call)

    return ScriptedGateway(otherwise=react)


def changing(**fields: Any) -> ScriptedGateway:
    """Reads, and says this instead of what it would have said."""

    def react(call: Call) -> Reaction:
        answer = reads(call)
        assert isinstance(answer, Mapping)
        return {"documents": [{**each, **fields} for each in answer["documents"]]}

    return ScriptedGateway(otherwise=react)


NOTES = [text(f"Note {name}. The meeting is on Friday at {name}.") for name in "abcdefghijkl"]


async def test_small_texts_share_calls_and_each_gets_its_own_answer() -> None:
    gateway = ScriptedGateway(otherwise=reads)

    found = await reader(gateway).read(NOTES, MemoryLedger())

    assert [len(documents(call)) for call in gateway.asked] == [8, 4]
    for note in NOTES:
        assert value(found[note.digest])["summary"] == note.text


async def test_a_content_is_asked_about_once() -> None:
    gateway, ledger = ScriptedGateway(otherwise=reads), MemoryLedger()

    first = await reader(gateway).read([NOTES[0], NOTES[0]], ledger)
    again = await reader(gateway).read([NOTES[0]], ledger)

    assert len(gateway.asked) == 1
    assert again == first


async def test_two_batches_at_once_ask_about_a_content_once() -> None:
    gateway, one, other = ScriptedGateway(otherwise=reads), MemoryLedger(), MemoryLedger()
    both = reader(gateway)

    await asyncio.gather(both.read([NOTES[0]], one), both.read([NOTES[0]], other))

    assert len(gateway.asked) == 1
    assert one.entries == other.entries != {}


@pytest.mark.parametrize(
    ("profile", "model"), [(Profile("Look for prices."), "m"), (Profile(), "other")]
)
async def test_another_profile_or_model_reads_again(profile: Profile, model: str) -> None:
    gateway, ledger = ScriptedGateway(otherwise=reads), MemoryLedger()

    await reader(gateway).read([NOTES[0]], ledger)
    await reader(gateway, profile, model).read([NOTES[0]], ledger)

    assert len(gateway.asked) == 2


async def test_the_same_instructions_come_first_in_every_call() -> None:
    gateway = ScriptedGateway(otherwise=reads)

    await reader(gateway).read(NOTES, MemoryLedger())

    assert len({call.instructions for call in gateway.asked}) == 1
    assert len({json.dumps(call.schema and call.schema.body) for call in gateway.asked}) == 1


async def test_a_text_without_words_is_not_asked_about() -> None:
    gateway = ScriptedGateway(otherwise=reads)

    assert await reader(gateway).read([text(" \n--- *** ")], MemoryLedger()) == {}
    assert gateway.asked == []


@pytest.mark.parametrize("kind", [Refused, CallRejected, AnswerMalformed, AnswerLost, TooLong])
async def test_the_trouble_of_one_is_not_its_neighbours(kind: type[ModelError]) -> None:
    bad = text("Note z. It is poison.")

    found = await reader(failing(kind, on="poison")).read([*NOTES[:3], bad], MemoryLedger())

    unread = found[bad.digest]
    assert isinstance(unread, Unread)
    assert unread.shown["action"] == kind.action
    assert all(value(found[note.digest])["summary"] == note.text for note in NOTES[:3])


async def test_what_must_wait_waits_and_keeps_what_was_read() -> None:
    wait = MustWait(WaitingReason.PROVIDER_DOWN, "away", action="", until=now() + timedelta(1))
    ledger = MemoryLedger()

    class Away(ScriptedGateway):
        async def ask(self, call: Call) -> Any:
            if "poison" in call.content:
                raise wait
            return await super().ask(call)

    long = text("It is poison. " * 200)
    gateway = Away(otherwise=reads)
    found = await reader(gateway).read([*NOTES[:3], long], ledger)

    assert found[long.digest] is wait
    assert len(ledger.entries) == 3


def _misnamed(documents: list[Any]) -> list[Any]:
    return [{**documents[0], "id": "2"}, *documents[1:]]


def _twice(documents: list[Any]) -> list[Any]:
    return [documents[0], documents[0], *documents[1:]]


def _swapped(documents: list[Any]) -> list[Any]:
    return [*documents, {**documents[0], "id": documents[1]["id"]}]


@pytest.mark.parametrize("spoil", [_misnamed, _twice, _swapped, lambda _: []])
async def test_an_answer_under_a_wrong_id_is_asked_for_again_alone(spoil: Any) -> None:
    def react(call: Call) -> Reaction:
        answer = reads(call)
        assert isinstance(answer, Mapping)
        found = list(answer["documents"])
        return {"documents": found if len(found) == 1 else spoil(found)}

    gateway = ScriptedGateway(otherwise=react)
    found = await reader(gateway).read(NOTES[:3], MemoryLedger())

    assert len(gateway.asked) > 1
    assert all(value(found[note.digest])["summary"] == note.text for note in NOTES[:3])


async def test_an_answer_about_nobody_ends_as_unread() -> None:
    gateway = ScriptedGateway(otherwise=lambda _: {"documents": []})

    found = await reader(gateway).read([NOTES[0]], MemoryLedger())

    assert isinstance(found[NOTES[0].digest], Unread)
    assert len(gateway.asked) == 2


async def test_a_cut_answer_is_asked_for_with_more_room_and_then_in_halves() -> None:
    long = text("".join(f"Line {n} of a long story.\n" for n in range(200)), tokens=1_400)

    def react(call: Call) -> Reaction:
        if call.caller.purpose == "read" and len(call.content) > 4_000:
            return AnswerCut("too long", model="m")
        return reads(call)

    gateway = ScriptedGateway(otherwise=react)
    found = await reader(gateway).read([long], MemoryLedger())

    rooms = [call.max_output_tokens for call in gateway.asked]
    assert rooms[1] == 2 * rooms[0]
    assert [call.caller.purpose for call in gateway.asked] == ["read"] * 4 + ["merge"]
    assert value(found[long.digest])["title"] == "Line 0 of a long story."


async def test_a_text_longer_than_any_context_is_read_in_ever_smaller_parts() -> None:
    long = text("word and word. " * 3_000, tokens=9_000)

    def react(call: Call) -> Reaction:
        if call.caller.purpose == "read" and len(call.content) > 8_000:
            return TooLong("too long", model="m")
        return reads(call)

    found = await reader(ScriptedGateway(otherwise=react)).read([long], MemoryLedger())

    assert value(found[long.digest])["summary"].startswith("word and word.")


async def test_where_even_a_line_is_too_long_it_ends_as_data() -> None:
    long = text("word and word. " * 3_000, tokens=9_000)

    found = await reader(failing(TooLong, on="word")).read([long], MemoryLedger())

    unread = found[long.digest]
    assert isinstance(unread, Unread)
    assert unread.shown["code"] == "too_long"


async def test_a_long_text_is_read_in_parts_and_its_places_are_of_the_whole() -> None:
    lines = "".join(f"Line {n} names the thing number {n}.\n" for n in range(4_000))
    long = text(lines, tokens=PART_TOKENS * 3)
    gateway = ScriptedGateway(otherwise=reads)

    found = value((await reader(gateway).read([long], MemoryLedger()))[long.digest])

    assert [call.caller.purpose for call in gateway.asked].count("merge") == 1
    assert len(found["facts"]) == len(gateway.asked) - 1 >= 3
    for fact in found["facts"]:
        assert lines.encode()[fact["start_byte"] : fact["end_byte"]].decode() == fact["quote"]


async def test_what_was_read_of_a_long_text_is_not_read_again() -> None:
    long = text("".join(f"Line {n}.\n" for n in range(9_000)), tokens=PART_TOKENS * 3)
    ledger = MemoryLedger()
    half = failing(Refused, on="Line 8999.")

    await reader(half).read([long], ledger)
    ledger.entries.pop(reader(half).address(long.digest))
    gateway = ScriptedGateway(otherwise=reads)
    await reader(gateway).read([long], ledger)

    assert [call.caller.purpose for call in gateway.asked].count("read") < 3


async def test_of_an_enormous_text_the_first_part_is_read_and_it_says_so() -> None:
    long = text("word\n" * 400_000, tokens=PART_TOKENS * 40)

    found = await reader(ScriptedGateway(otherwise=reads)).read([long], MemoryLedger())

    assert value(found[long.digest])["read_share"] == pytest.approx(0.6, abs=0.02)


async def test_a_fact_without_its_passage_is_dropped_and_counted() -> None:
    said = text("The rent is 900 euros a month.\nIt is due on the  first.")
    facts = [
        {"statement": "The rent is 900.", "quote": "rent is 900 euros"},
        {"statement": "Due on the first.", "quote": "It is due on the first."},
        {"statement": "The rent is 1,200.", "quote": "The rent is 1,200 euros"},
        {"statement": "Something.", "quote": "a"},
    ]
    entities = [{"name": "Euros", "type": "other"}, {"name": "Berlin", "type": "place"}]

    found = await reader(changing(facts=facts, entities=entities)).read([said], MemoryLedger())

    kept = value(found[said.digest])
    assert [fact["statement"] for fact in kept["facts"]] == [
        "The rent is 900.",
        "Due on the first.",
    ]
    assert [entity["name"] for entity in kept["entities"]] == ["Euros"]
    assert kept["unproved"] == 3


async def test_the_place_of_a_fact_is_right_after_what_was_hidden_and_masked() -> None:
    said = text("\ufeffKäse\u200b costs sk-proj-abcdefghijklmnopqrst 9 euros a kilo.")
    facts = [{"statement": "Price.", "quote": "9 euros a kilo"}]
    gateway = changing(facts=facts)

    found = await reader(gateway).read([said], MemoryLedger())

    [fact] = value(found[said.digest])["facts"]
    assert said.text.encode()[fact["start_byte"] : fact["end_byte"]] == b"9 euros a kilo"
    assert "abcdefgh" not in gateway.asked[0].content


async def test_a_profile_adds_its_own_fields() -> None:
    schema = {"type": "object", "properties": {"price": {"type": ["number", "null"]}}}
    gateway = changing(extracted={"price": 9})

    found = await reader(gateway, Profile("Find prices.", schema)).read([NOTES[0]], MemoryLedger())

    assert value(found[NOTES[0].digest])["extracted"] == {"price": 9}
    assert "Find prices." in gateway.asked[0].instructions


async def test_an_answer_that_repeats_the_instructions_is_none() -> None:
    leak = load("read", 1).text[200:500]

    found = await reader(changing(summary=leak)).read([NOTES[0]], MemoryLedger())

    assert isinstance(found[NOTES[0].digest], Unread)


async def test_a_text_that_quotes_the_instructions_may_be_summarised_so() -> None:
    leak = load("read", 1).text[200:500]
    said = text(f"Our prompt: {leak}")

    found = await reader(changing(summary=leak)).read([said], MemoryLedger())

    assert isinstance(found[said.digest], Read)
