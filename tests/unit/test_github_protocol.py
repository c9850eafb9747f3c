"""What GitHub's answers, archives and names mean, without asking it."""

import io
import tarfile
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from connectors.errors import (
    Cause,
    ReauthorizationNeeded,
    SourceInvalid,
    SourceMissing,
    SourceRefused,
    SourceUnavailable,
)
from connectors.github import prose, protocol
from connectors.github.config import GitHubConfig, locate
from connectors.github.keyset import Dated, Keyset
from connectors.github.protocol import Answer, Limited, TooHeavy, Unauthorized
from connectors.github.tarball import Damaged, Member, TarReader

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SSO = {"x-github-sso": "required; url=https://github.com/orgs/acme/sso?x=1"}


def said(status: int, message: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, f'{{"message": "{message}"}}'.encode())


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (said(401, "Bad credentials"), Unauthorized),
        (said(403, "Resource not accessible by integration"), ReauthorizationNeeded),
        (said(403, "Although you appear to have, SAML"), ReauthorizationNeeded),
        (said(403, "Forbidden"), SourceRefused),
        (said(404, "Not Found"), SourceMissing),
        (said(409, "Git Repository is empty."), SourceInvalid),
        (said(410, "Issues are disabled for this repo"), SourceMissing),
        (said(422, "Validation Failed"), SourceInvalid),
        (said(451, "Repository access blocked"), SourceInvalid),
        (said(500), SourceUnavailable),
        (said(502), TooHeavy),
        (Answer(503, {}, b"<html>"), SourceUnavailable),
    ],
)
def test_refusal_is_named_by_what_to_do(answer: Answer, kind: type[Exception]) -> None:
    error = protocol.judge(answer, now=NOW)

    assert isinstance(error, kind)
    assert error.action


@pytest.mark.parametrize(
    ("answer", "until"),
    [
        (said(403, retry_after="30"), NOW + timedelta(seconds=30)),
        (said(429, retry_after="30"), NOW + timedelta(seconds=30)),
        (
            said(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(int(NOW.timestamp()) + 90)),
            NOW + timedelta(seconds=91),
        ),
        (said(403, "You have exceeded a secondary rate limit"), None),
        (said(429), None),
    ],
)
def test_limit_says_until_when_if_github_does(answer: Answer, until: datetime | None) -> None:
    error = protocol.judge(answer, now=NOW)

    assert isinstance(error, Limited)
    assert error.until == until


def test_reset_in_the_far_future_is_not_believed() -> None:
    reset = protocol.reset({"x-ratelimit-reset": "99999999999"}, now=NOW)

    assert reset <= NOW + timedelta(hours=1, minutes=1)


def test_sso_tells_where_to_authorise() -> None:
    error = protocol.judge(Answer(403, SSO, b"{}"), now=NOW)

    assert isinstance(error, ReauthorizationNeeded)
    assert error.cause is Cause.SSO_REQUIRED
    assert "https://github.com/orgs/acme/sso?x=1" in error.action


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("octocat/hello-world", "octocat/hello-world"),
        ("octocat/hello.git", "octocat/hello"),
        ("https://github.com/octocat/hello-world", "octocat/hello-world"),
        ("https://github.com/octocat/hello-world.git", "octocat/hello-world"),
        ("https://github.com/octocat/hello-world/issues?q=is%3Aopen", "octocat/hello-world"),
        ("github.com/octocat/hello-world/", "octocat/hello-world"),
        ("octocat", None),
        ("/srv/code", None),
        ("https://gitlab.com/a/b", None),
        ("a/b/c", None),
    ],
)
def test_what_a_person_types_is_a_repository(text: str, name: str | None) -> None:
    assert locate(text) == (None if name is None else {"repositories": [name]})


@pytest.mark.parametrize(
    "wrong",
    [
        {"repositories": ["octocat"]},
        {"repositories": ["a/.."]},
        {"repositories": ["a/b", "A/B"]},
        {"branch": "../../user"},
        {"branch": "a?b"},
        {"base_url": "ftp://hub.example"},
        {"base_url": "https://user:pass@hub.example/api/v3"},
        {"parts": ["wiki"]},
        {"exclude": ["x" * 501]},
        {"token": "x"},
    ],
)
def test_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GitHubConfig.model_validate(wrong)


def tar(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "c"}
    ) as made:
        for path, content in files:
            info = tarfile.TarInfo(path)
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("root/link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
        made.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize("step", [1, 7, 511, 512, 513, 100_000])
def test_archive_is_read_however_it_is_cut_up(step: int) -> None:
    long = f"root/{'deep/' * 60}ü.txt"
    data = tar(("root/a.txt", b"a" * 700), (long, b"long"), ("root/empty", b""))
    reader = TarReader(lambda path, _: not path.endswith("a.txt"))

    members = [m for at in range(0, len(data), step) for m in reader.feed(data[at : at + step])]

    assert members == [
        Member("root/a.txt", None),
        Member(long, b"long"),
        Member("root/empty", b""),
    ]
    assert reader.finished


def test_archive_that_is_cut_is_not_finished() -> None:
    data = tar(("root/a.txt", b"a" * 700))
    reader = TarReader(lambda *_: True)

    assert len(list(reader.feed(data[:2_600]))) <= 1
    assert not reader.finished


def test_damaged_header_is_found() -> None:
    data = bytearray(tar(("root/a.txt", b"a" * 700)))
    data[10] ^= 0xFF

    with pytest.raises(Damaged):
        list(TarReader(lambda *_: True).feed(bytes(data)))


def at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


def test_keyset_asks_by_date_and_not_by_page() -> None:
    sweep = Keyset(None)

    first = sweep.take([Dated(1, at(1)), Dated(2, at(2))], more=True)

    assert [item.number for item in first] == [1, 2]
    assert (sweep.since, sweep.page, sweep.over) == (at(2), 1, False)
    assert sweep.take([Dated(2, at(2)), Dated(3, at(3))], more=False) == [Dated(3, at(3))]
    assert sweep.over


def test_one_second_that_fills_pages_is_read_again_until_nothing_new_is_in_it() -> None:
    sweep = Keyset(at(5), page=1)

    sweep.take([Dated(1, at(5)), Dated(2, at(5))], more=True)
    assert sweep.page == 2
    # While page 2 was on its way, 1 was touched: 3 moved to page 1, where nobody looked any more.
    sweep.take([Dated(4, at(5)), Dated(1, at(6))], more=False)
    assert (sweep.page, sweep.over) == (1, False)
    missed = sweep.take([Dated(2, at(5)), Dated(3, at(5))], more=True)

    assert missed == [Dated(3, at(5))]


def test_text_that_is_too_long_says_how_much_is_missing() -> None:
    text = prose.bounded("ü" * 1_000, 200)

    assert len(text) <= 200
    assert "bytes more" in text.decode()


def test_ghost_is_who_has_no_account_any_more() -> None:
    assert prose.login(None) == "ghost"
