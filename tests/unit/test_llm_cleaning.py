"""What a model may see of a text: what a person sees, and no secret."""

import pytest

from pipelines.llm.cleaning import BLOCK, clean


@pytest.mark.parametrize(
    "hidden", ["\u200b", "\u202e", "\u2066", "\ufeff", "\x00", "\U000e0041", "\ue000", "\u00ad"]
)
def test_what_nobody_sees_is_left_out(hidden: str) -> None:
    found = clean(f"pay{hidden}ment")

    assert (found.text, found.hidden) == ("payment", 1)
    assert found.origin(3) == 4


@pytest.mark.parametrize(
    "seen",
    ["👩\u200d💻 works", "\u0645\u06cc\u200c\u062e\u0648", "tab\tand\nline", "ﷺ 日本 ❤\ufe0f"],
)
def test_what_belongs_to_a_word_stays(seen: str) -> None:
    assert clean(seen).text == seen


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-" + "a1B2" * 8,
        "sk-" + "a1B2" * 10,
        "sk_live_" + "a1B2" * 6,
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 8,
        "xoxb-1234567890-abcdef",
        "AKIA" + "ABCD1234" * 2,
        "AIza" + "a1B2_" * 7,
        "glpat-" + "a1B2" * 5,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcdefghijklmnop",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc+/=\n",
    ],
)
def test_a_secret_becomes_blocks_of_its_length(secret: str) -> None:
    found = clean(f"key: {secret}")

    assert (found.text, found.secrets) == (f"key: {BLOCK * len(secret)}", 1)


def test_a_password_in_an_address_is_a_secret() -> None:
    assert "hunter22" not in clean("postgresql://ada:hunter22@db.example.org/x").text


@pytest.mark.parametrize(
    "plain", ["sk-learn", "the hash 3f9a" + "0" * 36, "pypi-name", "skip-list"]
)
def test_what_only_looks_a_little_like_one_stays(plain: str) -> None:
    assert clean(plain).text == plain


def test_half_a_surrogate_pair_is_one_sign() -> None:
    assert clean("a\ud800b").text == "a?b"
