"""The log of a child, which does not grow for ever."""

import json
from pathlib import Path

from api.logfile import last_words, open_log, says, size, trim


def test_a_log_that_grew_too_long_begins_anew_and_keeps_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    with open_log(path) as child:
        child.write(b"old\n" * 100)
        child.flush()

        trim(path, keep_bytes=100)
        child.write(b"new\n")

    assert path.read_bytes() == b"new\n"
    assert path.with_name("part.log.1").read_bytes() == b"old\n" * 100


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.write_bytes(b"old\n")

    trim(path, keep_bytes=100)

    assert path.read_bytes() == b"old\n"


def test_only_the_last_lines_are_told_even_of_a_log_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.write_bytes(b"line\n" * 100_000 + b"the \xff end\n")

    assert last_words(path) == "    line\n" * 4 + "    the \ufffd end"


def test_of_a_line_for_machines_only_what_a_person_wants_is_told(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    broken = {"event": "worker.broken", "exception": "Traceback\n  File x\nValueError: no teapot"}
    refused = {"event": "worker.cannot_start", "reason": "No database.", "action": "Start it."}

    path.write_text(json.dumps(broken))
    assert last_words(path) == "    ValueError: no teapot"

    path.write_text(json.dumps(refused))
    assert last_words(path) == "    No database.\n    Start it."


def test_what_an_earlier_life_said_is_not_heard_again(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.write_bytes(b"ready\n")
    began = size(path)

    assert not says(path, b"ready", after=began)
    with open_log(path) as child:
        child.write(b"ready\n")
    assert says(path, b"ready", after=began)


def test_a_log_that_was_trimmed_meanwhile_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    path.write_bytes(b"ready\n")

    assert says(path, b"ready", after=1_000)
