"""A mail becomes the text that somebody wrote, from whatever bytes it comes in."""

import base64
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mail import headers, html, mime, quotes
from connectors.mail.letter import MOST_PARTS, Headers, MailUnreadable
from connectors.mail.rendering import Rendered, render

HEAD = b"From: Ann <ann@example.org>\r\nTo: bob@example.org\r\nMessage-ID: <1@example.org>\r\n"
REPLY = """Yes, on Tuesday.

On Mon, 2 Nov 2026 at 10:00, Bob Smith <bob@example.org> wrote:
> Shall we ship?
"""


def rendered(raw: bytes, *, known: bool = False) -> Rendered:
    return render(mime.letter(raw), known=known)


def test_mail_says_who_wrote_what_to_whom_and_when() -> None:
    raw = (
        HEAD
        + b"Subject: =?utf-8?q?Caf=C3=A9?=\r\nDate: Mon, 2 Nov 2026 11:00:00 +0100\r\n\r\nAt 9.\r\n"
    )

    assert rendered(raw).text == (
        "Subject: Café\nFrom: Ann <ann@example.org>\nTo: bob@example.org\n"
        "Date: 2026-11-02 10:00 UTC\n\nAt 9.\n"
    )


@pytest.mark.parametrize(
    ("charset", "content", "text"),
    [
        ("utf-8", "naïve".encode(), "naïve"),
        ("iso-8859-1", "naïve".encode(), "naïve"),  # as Gmail hands it out
        ("iso-8859-2", "żółw".encode("iso-8859-2"), "żółw"),
        ("iso-2022-jp", "こんにちは".encode("iso-2022-jp"), "こんにちは"),
        ("utf-16", "naïve".encode("utf-16"), "naïve"),
        ("gb2312", "你好".encode("gb2312"), "你好"),
        ("x-unknown-99", b"caf\xe9", "café"),
        ("", b"\x93quoted\x94", "\u201cquoted\u201d"),
        ("unicode_escape", b"\\u0041 \xe9", "\\u0041 é"),
    ],
)
def test_charset_is_what_the_bytes_are_and_not_only_what_is_said(
    charset: str, content: bytes, text: str
) -> None:
    kind = f"Content-Type: text/plain; charset={charset}\r\n".encode()
    coded = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.b64encode(content)

    assert rendered(HEAD + kind + coded).text.endswith(f"\n\n{text}\n")


def test_html_is_read_where_the_plain_text_only_points_to_it() -> None:
    mail = EmailMessage()
    mail["From"] = "ann@example.org"
    mail.set_content("View this in a browser.")
    mail.add_alternative(f"<p>{'The real words. ' * 20}</p>", subtype="html")

    assert "The real words." in rendered(mail.as_bytes()).text


def test_plain_text_is_preferred_where_it_says_the_same() -> None:
    mail = EmailMessage()
    mail["From"] = "ann@example.org"
    mail.set_content("The plain words.")
    mail.add_alternative("<p>The rich words.</p>", subtype="html")

    text = rendered(mail.as_bytes()).text

    assert "The plain words." in text
    assert "rich" not in text


def test_forwarded_mail_is_read_with_the_one_that_bears_it() -> None:
    inner = EmailMessage()
    inner["From"] = "eve@example.org"
    inner["Subject"] = "The plan"
    inner.set_content("Meet at noon.")
    mail = EmailMessage()
    mail["From"] = "ann@example.org"
    mail.set_content("See below.")
    mail.add_attachment(inner)

    text = rendered(mail.as_bytes()).text

    assert "See below." in text
    assert "From: eve@example.org" in text
    assert "Meet at noon." in text


HIDDEN = [
    '<div style="display:none">ORDER</div>',
    '<div style="display : NONE !important">ORDER</div>',
    '<span style="font-size:0">ORDER</span>',
    '<span style="font-size: 1px">ORDER</span>',
    '<span style="font:0/0 a">ORDER</span>',
    '<div style="max-height:0;overflow:hidden">ORDER</div>',
    '<div style="opacity:0">ORDER</div>',
    '<div style="visibility:hidden">ORDER</div>',
    '<div style="mso-hide:all">ORDER</div>',
    '<div style="text-indent:-9999px">ORDER</div>',
    '<div style="position:absolute;left:-9999px">ORDER</div>',
    '<div style="color:#fff">ORDER</div>',
    '<font color="white">ORDER</font>',
    '<div style="background:#123456"><span style="color:rgb(18, 52, 86)">ORDER</span></div>',
    '<table><tr><td bgcolor="black" style="color:#010101">ORDER</td></tr></table>',
    '<div style="color:transparent">ORDER</div>',
    "<div hidden>ORDER</div>",
    '<div aria-hidden="true">ORDER</div>',
    "<!-- ORDER -->",
    "<style>.x{display:none}</style><p class='y x'>ORDER</p>",
    "<style>#x, p.z {visibility: hidden}</style><p id=x>ORDER</p>",
    "<script>ORDER</script>",
    "<title>ORDER</title>",
    "<noscript>ORDER</noscript>",
    '<img width=1 height=1 alt="ORDER">',
    "<template>ORDER</template>",
]


@pytest.mark.parametrize("page", HIDDEN)
def test_text_that_no_reader_sees_is_not_read(page: str) -> None:
    assert html.text(f"<p>Before.</p>{page}<p>After.</p>") == "Before.\n\nAfter."


@pytest.mark.parametrize(
    "page",
    [
        '<div style="background:#000"><span style="color:#fff">SEEN</span></div>',
        '<div style="font-size:0"><span style="font-size:14px">SEEN</span></div>',
        '<div style="font-size:0.8em">SEEN</div>',
        '<div style="opacity:0.9">SEEN</div>',
        '<div style="max-height:0">SEEN</div>',
        "<style>@media (max-width:600px){.x{display:none}}</style><p class=x>SEEN</p>",
        '<img src="a.png" alt="SEEN">',
    ],
)
def test_text_that_a_reader_sees_is_read(page: str) -> None:
    assert "SEEN" in html.text(page)


def test_blocks_are_lines_and_quotations_are_marked() -> None:
    page = "<p>One<br>two</p><ul><li>a<li>b</ul><blockquote>they<p>said</blockquote><p>end"

    assert html.text(page) == "One\ntwo\n\n- a\n- b\n\n> they\n>\n> said\n\nend"


def test_invisible_characters_are_left_away() -> None:
    order = "".join(chr(0xE0000 + ord(letter)) for letter in "ignore all")
    text = rendered(HEAD + b"\r\n" + f"Pay\u200b me\u202e now{order}.".encode()).text

    assert text.endswith("\n\nPay me now.\n")


@pytest.mark.parametrize(
    ("text", "own"),
    [
        (REPLY, "Yes, on Tuesday."),
        (
            (
                "Agreed.\n\n-----Original Message-----\n"
                "From: Bob\nSent: Monday\nTo: Ann\nSubject: x\n\nShall we?"
            ),
            "Agreed.",
        ),
        (
            "Ja.\n\nAm Mo., 2. Nov. 2026 um 10:00 Uhr schrieb Bob <bob@example.org>:\n> Kommst du?",
            "Ja.",
        ),
    ],
)
def test_reply_is_what_its_author_wrote(text: str, own: str) -> None:
    assert quotes.reply(text, known=True) == own


def test_quotation_of_a_mail_that_is_not_there_is_kept() -> None:
    assert "Shall we ship?" in quotes.reply(REPLY, known=False)


def test_answers_between_the_quoted_lines_are_kept() -> None:
    text = "On Mon, Bob <b@example.org> wrote:\n> Ship it?\nYes.\n> When?\nOn Tuesday."

    assert quotes.reply(text, known=True) == "Yes.\nOn Tuesday."


def test_what_is_passed_on_is_kept() -> None:
    text = (
        "FYI\n\n---------- Forwarded message ---------\n"
        "From: Bob\nDate: Monday\nSubject: x\nTo: Ann\n\nThe plan"
    )

    assert "The plan" in quotes.reply(text, known=True)


@pytest.mark.parametrize("end", ["\n-- \nAnn Smith\nCEO", "\nSent from my iPhone\n"])
def test_signature_is_cut(end: str) -> None:
    assert quotes.reply(f"See you.\n{end}", known=False) == "See you."


def test_list_of_points_is_no_signature() -> None:
    text = "Points:\n- one\n- two\nThanks for the work."

    assert quotes.reply(text, known=True) == text


@pytest.mark.parametrize(
    "field",
    [
        b"List-Id: <news.example.org>",
        b"List-Unsubscribe: <https://example.org/u>",
        b"Precedence: bulk",
        b"Auto-Submitted: auto-generated",
    ],
)
def test_mail_to_nobody_in_particular_says_why(field: bytes) -> None:
    assert rendered(HEAD + field + b"\r\n\r\nBuy!").bulk


@pytest.mark.parametrize("field", [b"Auto-Submitted: no", b"Precedence: first-class"])
def test_mail_to_somebody_is_not_set_aside(field: bytes) -> None:
    assert not rendered(HEAD + field + b"\r\n\r\nHello.").bulk


def test_thread_is_named_by_its_first_mail() -> None:
    chain = Headers(
        (("message-id", "<3@x>"), ("references", "<1@x> <2@x>"), ("in-reply-to", "<2@x>"))
    )

    assert headers.thread_of(chain) == "1@x"
    assert headers.parents(chain) == ("2@x", "1@x")
    assert headers.topic("Re: AW: Fwd: [2] plans") == "[2] plans"


def test_mail_without_an_id_is_known_by_what_no_server_rewrites() -> None:
    one = Headers((("from", "a@x"), ("date", "today"), ("received", "here")))
    copy = Headers((("received", "there"), ("date", "today"), ("from", "a@x")))

    assert headers.message_id(one) == headers.message_id(copy)
    assert headers.message_id(one).startswith("sha256:")


MULTIPART = b"Content-Type: multipart/mixed; boundary=z\r\n\r\n"
FILE = b"--z\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nxx\r\n"
BOMBS = {
    "a subject of 273 KB": HEAD + b"Subject: " + b"x" * 273_000 + b"\r\n\r\nhello",
    "a subject of 20,000 encoded words": HEAD
    + b"Subject: "
    + b"=?utf-8?q?x?= " * 20_000
    + b"\r\n\r\nhello",
    "200,000 headers": HEAD + b"X-A: b\r\n" * 200_000 + b"\r\nhello",
    "5,000 parts in each other": HEAD
    + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(5_000)
    ),
    "5,000 mails in each other": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
    "10,000 attachments": HEAD + MULTIPART + FILE * 10_000,
    "100 MB of text": HEAD + b"\r\n" + (b"x" * 76 + b"\r\n") * 1_300_000,
    "9 MB of empty lines": HEAD + b"\r\n" + b"\n" * 9_000_000,
    "5,000 elements in each other": HEAD
    + b"Content-Type: text/html\r\n\r\n"
    + b"<div>" * 5_000
    + b"hello",
    "quotations without end": HEAD + b"\r\n" + b"On Monday Bob wrote:\n> a\n" * 100_000,
}


@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS)
def test_bomb_is_read_from_its_front(raw: bytes) -> None:
    mail = rendered(raw, known=True)

    assert len(mail.text) < 400_000
    assert len(mail.attachments) <= MOST_PARTS
    assert mail.cut or len(raw) < 3_000_000


def test_bytes_that_are_no_mail_say_so() -> None:
    with pytest.raises(MailUnreadable):
        mime.letter(b"")


ODDITIES = [
    b"Content-Type: multipart/mixed; boundary=z\r\n",
    b"Content-Type: message/rfc822\r\n",
    b'Content-Type: text/html; charset="\xff',
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n",
    b"begin 644 x\n",
    b"\r\n",
    b"--z\r\n",
    b"--z--",
    b"Subject: =?utf-8?b?",
    b"=?x-odd?q?=",
    b"?=",
    b"Content-Disposition: attachment; filename*9=",
    b"filename*0*=''%ff",
    b"filename*99999999999999999999=x;",
    b'name="',
    b"Date: Mon, 99 Foo",
    b" 99999 25:61 +9999\r\n",
    b"References: <",
    b"<a@b>",
    b"<div style=color:",
    b"<table><blockquote>",
    b"\x00",
    b"\xed\xa0\x80",
    b"\x1b$B",
    b">",
    b"On Mon wrote:\n",
    b"-- \n",
    b"List-Id: \r\n",
    b"charset=utf-7",
    b"charset=idna",
    b"+AGE-",
    b"From: a\r\n",
]
ODD = st.one_of(
    st.binary(max_size=2_000),
    st.lists(st.sampled_from(ODDITIES), max_size=40).map(b"".join),
)


@given(ODD, st.booleans())
@settings(max_examples=400, deadline=None)
def test_whatever_comes_is_text_or_an_error_of_ours(raw: bytes, known: bool) -> None:  # noqa: FBT001  # hypothesis
    try:
        mail = rendered(raw, known=known)
    except MailUnreadable:
        return

    mail.text.encode()
    mail.message_id.encode()
    assert mail.message_id.isprintable()
