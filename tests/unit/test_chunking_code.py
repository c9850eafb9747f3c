"""Code is cut along its syntax."""

import pytest

from pipelines.chunking import Chunk, cut

FILLER = "".join(f"        total = total + value * {n}\n" for n in range(12))
STORE = f'''"""Keeps things."""

import os


class Store:
    """A place for things."""

    def get(self, value):
{FILLER}        return total

    # Replaces what is there.
    @property
    def put(self, value):
{FILLER}        return total


def open_store(path):
    return Store()
'''


def named(chunks: list[Chunk], symbol: str) -> Chunk:
    return next(chunk for chunk in chunks if chunk.symbol and symbol in chunk.symbol.split(", "))


def test_a_method_that_fits_is_one_chunk_under_its_path() -> None:
    chunks = cut(STORE, path="pkg/store.py", title="store.py", limit=160)

    chunk = named(chunks, "Store.get")

    assert "def get" in chunk.text
    assert "return total" in chunk.text


def test_comments_and_decorators_stay_with_what_they_are_about() -> None:
    chunks = cut(STORE, path="pkg/store.py", title="store.py", limit=160)

    chunk = named(chunks, "Store.put")

    assert chunk.text.startswith("    # Replaces what is there.\n    @property\n    def put")


def test_the_header_says_file_and_symbol() -> None:
    chunks = cut(STORE, path="pkg/store.py", title="store.py", limit=160)

    headers = [chunk.header for chunk in chunks]

    assert "pkg/store.py · Store.put" in [header.partition(",")[0] for header in headers]


def test_a_chunk_of_many_definitions_names_the_first_three() -> None:
    text = "".join(f"def f{n}():\n    pass\n\n\n" for n in range(5))

    chunks = cut(text, path="many.py", title="many.py")

    assert [chunk.symbol for chunk in chunks] == ["f0, f1, f2, …"]


def test_a_chunk_within_a_long_function_is_named_after_it() -> None:
    body = "".join(f"    total += measure({n})\n" for n in range(200))
    text = f"def long_one():\n{body}"

    chunks = cut(text, path="a.py", title="a.py", limit=100)

    assert len(chunks) > 5
    assert {chunk.symbol for chunk in chunks} == {"long_one"}


@pytest.mark.parametrize(
    ("path", "text", "symbol"),
    [
        ("a.py", "class A:\n    def f(self): pass\n", "A"),
        ("a.js", "// c\nexport class A { m() {} }\nconst f = () => {}\n", "A, f"),
        ("a.ts", "export interface I {a: string}\nexport type T = 1\n", "I, T"),
        ("a.tsx", "export default function App() { return <b/> }\n", "App"),
        ("a.go", "package a\nfunc (s *Store[T]) Get() {}\ntype B struct {}\n", "Store.Get, B"),
        ("a.rs", "#[x]\npub struct S {}\nimpl<T> Tr for S<T> {}\nfn g() {}\n", "S, S, g"),
        ("A.java", "package a;\n@X public class B { void m() {} }\n", "B"),
        ("a.c", "static int *f(int a) { return 0; }\nstruct s { int a; };\n", "f, s"),
        ("a.cpp", "template<class T> class A {};\nint n::A::m() { return 0; }\n", "A, n.A.m"),
        ("A.cs", "namespace N { public class C { void M() {} } }\n", "N"),
        ("a.rb", "module A\n  class B\n  end\nend\n", "A"),
        ("a.php", "<?php\nclass B { function m() {} }\nfunction f() {}\n", "B, f"),
        ("a.sh", "# c\nfoo() {\n  echo\n}\n", "foo"),
        ("a.css", ".a { color: red }\n", None),
        ("a.html", "<html><body>x</body></html>\n", None),
        ("script", "#!/usr/bin/env python3\ndef main(): pass\n", "main"),
    ],
)
def test_definitions_are_named_in_every_language(path: str, text: str, symbol: str | None) -> None:
    chunks = cut(text, path=path, title=path)

    assert [chunk.symbol for chunk in chunks] == [symbol]


def test_broken_code_is_still_cut_at_its_functions() -> None:
    text = STORE.replace("return Store()", "return Store((((\n    x = [}")

    chunks = cut(text, path="broken.py", title="broken.py", limit=160)

    assert "".join(chunk.text for chunk in chunks) == text
    assert "def get" in named(chunks, "Store.get").text


def test_positions_are_right_behind_characters_of_several_bytes() -> None:
    text = "# 🧠 字 naïve\n" * 60 + "def after():\n    pass\n"

    chunks = cut(text, path="a.py", title="a.py", limit=64)

    last = named(chunks, "after")
    assert last.end_byte == len(text.encode())
    assert last.end_line == 62


def test_minified_code_is_cut_without_its_syntax() -> None:
    text = "function f(){return 1};" * 5_000

    chunks = cut(text, path="app.min.js", title="app.min.js")

    assert {chunk.symbol for chunk in chunks} == {None}


def test_an_unknown_language_is_cut_at_its_outer_lines() -> None:
    block = "resource thing {\n" + "".join(f"  field_{n} = {n}\n" for n in range(20)) + "}\n\n"
    text = block * 6

    chunks = cut(text, path="main.tf", title="main.tf", limit=200)

    assert len(chunks) == 6
    assert {chunk.text for chunk in chunks} == {block}
