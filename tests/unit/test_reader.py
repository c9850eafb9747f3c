"""Reading without a model."""

import pickle
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.digest import Document, digest
from pipelines.reader import PRODUCER, Reading, read

README = """# Headwater

[![build](https://example.org/badge.svg)](https://example.org)

Headwater is a self-hosted service that turns accounts into context. It crawls a mailbox, cuts it
into chunks and makes it searchable. Nothing is lost when a worker dies.

## Install

```sh
make demo
```

The mailbox may be large. A worker crawls the mailbox in partitions.
"""

MODULE = '''#!/usr/bin/env python3
# Copyright 2031 Somebody. All rights reserved.
"""Keeps things where they can be found.

It is fast.
"""
import os

class Store:
    def get(self, key): return self.find(key)
    def find(self, key): return os.environ[key]

def open_store(): return Store()
'''


def test_prose_is_called_after_its_first_heading() -> None:
    reading = read(README, title="README.md", path="README.md")

    assert reading.title == "Headwater"
    assert reading.language == "en"
    assert reading.producer == PRODUCER


def test_a_summary_is_made_of_sentences_and_not_of_markup() -> None:
    reading = read(README, title="README.md", path="README.md")

    assert reading.summary.startswith("Headwater is a self-hosted service")
    assert "make demo" not in reading.summary
    assert "badge" not in reading.summary


def test_key_phrases_are_what_is_said_often() -> None:
    reading = read(README, title="README.md", path="README.md")

    assert "mailbox" in reading.phrases
    assert "the" not in reading.phrases


def test_code_is_summarised_by_its_docstring_and_not_by_its_licence() -> None:
    reading = read(MODULE, title="store.py", path="pkg/store.py")

    assert reading.title == "Keeps things where they can be found."
    assert reading.summary == "Keeps things where they can be found. It is fast."
    assert reading.language == "Python"
    assert {"Store", "open_store"} <= set(reading.phrases)


def test_code_without_a_comment_lists_what_it_defines() -> None:
    text = "package a\n\nfunc (s *Store) Get() {}\n\ntype Store struct {}\n"

    reading = read(text, title="a.go", path="pkg/a.go")

    assert reading.title == "pkg/a.go"
    assert reading.summary == "Defines Get, Store."


@pytest.mark.parametrize("path", ["config.yaml", "Makefile", ".gitignore"])
def test_data_is_called_by_its_path(path: str) -> None:
    reading = read("key: value\nother: 1\n", title="x", path=path)

    assert (reading.title, reading.summary, reading.language) == (path, "", None)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Die Straße führt über die Brücke, und danach kommt ein kleines Dorf am Fluss.", "de"),
        ("Le chat noir dort sur la chaise pendant que les enfants jouent dans le jardin.", "fr"),
        (
            "日本語のテキストです。これは長い文章です。文字がたくさんあります。もっと書きます。",
            "ja",
        ),
        ("ok", None),
        ("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23", None),
    ],
)
def test_the_language_is_told_where_there_is_enough_to_tell(
    text: str, language: str | None
) -> None:
    reading = read(text, title="a mail", path=None)

    assert reading.language == language


def test_an_empty_text_has_the_name_its_source_gave_it() -> None:
    reading = read("", title="A mail", path=None)

    assert reading == Reading("A mail", "", (), None, PRODUCER)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["a.md", "a.py", None]))
@settings(max_examples=200, deadline=None)
def test_nothing_read_is_too_long_or_bears_control_characters(text: str, path: str | None) -> None:
    reading = read(text, title="a\x00title" * 100, path=path)

    shown = [reading.title, reading.summary, *reading.phrases]
    assert all(line.isprintable() for line in shown)
    assert len(reading.title) <= 200
    assert len(reading.summary) <= 600
    assert len(reading.phrases) <= 8
    assert all(len(phrase) <= 60 for phrase in reading.phrases)


HOSTILE = {
    "one word": "a" * 10_000_000,
    "open tags": "<a " * 1_000_000,
    "open links": "![" * 1_000_000,
    "open comments": "<!--" * 500_000,
    "fences": "```\n" * 500_000,
    "emphasis": "*_" * 1_000_000,
    "roles": ":a:`" * 500_000,
    "types": "a " * 1_000_000,
    "modifiers": "public static " * 100_000,
    "indentation": "(" + " " * 1_000_000,
    "line breaks": "\n" * 1_000_000,
    "sentences": "It is so. " * 100_000,
}


@pytest.mark.parametrize("path", ["a.md", "a.java"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_huge_text_takes_no_longer_than_its_start(name: str, path: str) -> None:
    started = time.process_time()

    read(HOSTILE[name], title=name, path=path)

    assert time.process_time() - started < 5


def test_a_digest_travels_between_processes_and_is_the_same_every_time() -> None:
    document = Document(README.encode(), "README.md", "README.md", limit=64)

    made = digest(pickle.loads(pickle.dumps(document)))  # noqa: S301  # our own bytes

    assert made == pickle.loads(pickle.dumps(digest(document)))  # noqa: S301
    assert made.text_bytes == len(README.encode()) == made.chunks[-1].end_byte
    assert made.encoding == "utf-8"
    assert made.reading.title == "Headwater"
