"""A Gmail mailbox, over Google's own API."""

from connectors.access import Consent, CredentialKind, Permission
from connectors.connector import Spec
from connectors.gmail.config import GmailConfig, GmailCursor
from connectors.gmail.crawl import open_gmail
from connectors.gmail.hints import open_ear
from connectors.hearing import Hearing

CONNECTOR = Spec(
    kind="gmail",
    title="Gmail",
    description="The mail of a Google account, read and never changed.",
    config=GmailConfig,
    cursor=GmailCursor,
    open=open_gmail,
    credentials=frozenset({CredentialKind.OAUTH}),
    consent=Consent(
        "google",
        (
            Permission(
                "https://www.googleapis.com/auth/gmail.readonly",
                "To read your mail. Nothing is sent, changed or deleted.",
            ),
        ),
    ),
    hearing=Hearing(open_ear, topic=lambda settings: settings.gmail_push_topic, place="anchor"),
)
