"""A frame of a run's stream on its owner's: with the run, and a place where it has one."""

import json

from api.cards import dressed
from api.encoding import Format, goodbye, line, unplaced
from storage.events import Gap, Snapshot
from storage.ids import RunId, Seq, new_id

RUN = RunId(new_id())


def fields(sse: bytes) -> dict[str, str]:
    told = (row.partition(":") for row in sse.decode().splitlines() if row)
    return {name: value.strip() for name, _, value in told}


def test_a_frame_carries_its_run_and_the_place_in_all_of_them() -> None:
    made = line(Snapshot(Seq(7), {"status": "running"}, ended=False))

    sse = fields(dressed(made, RUN, "here", Format.SSE))
    ndjson = json.loads(dressed(made, RUN, "here", Format.NDJSON))

    assert (sse["id"], sse["event"]) == ("here", "snapshot")
    assert json.loads(sse["data"])["run_id"] == ndjson["run_id"] == str(RUN)
    assert (ndjson["type"], ndjson["cursor"], ndjson["seq"]) == ("snapshot", "here", 7)


def test_a_gap_leaves_the_place_as_it_was() -> None:
    made = line(Gap(Seq(1), Seq(9)))

    assert "id" not in fields(dressed(made, RUN, "here", Format.SSE))
    assert "cursor" not in json.loads(dressed(made, RUN, "here", Format.NDJSON))


def test_a_state_from_sql_has_a_place_that_its_run_is_not_in() -> None:
    made = unplaced({"status": "running"})

    assert fields(dressed(made, RUN, "others", Format.SSE))["id"] == "others"
    assert fields(dressed(made, RUN, "", Format.SSE))["id"] == ""
    assert json.loads(dressed(made, RUN, "others", Format.NDJSON))["seq"] is None


def test_every_frame_ends_as_its_format_has_it() -> None:
    made = goodbye("age", retry_milliseconds=500)

    assert dressed(made, RUN, "", Format.SSE).endswith(b"}\n\n")
    assert dressed(made, RUN, "", Format.NDJSON).endswith(b"}\n")
