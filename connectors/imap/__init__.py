"""Any inbox that speaks IMAP."""

from connectors.access import CredentialKind
from connectors.connector import Spec
from connectors.imap.config import ImapConfig, ImapCursor, narrow
from connectors.imap.crawl import open_imap

CONNECTOR = Spec(
    kind="imap",
    title="Mailbox (IMAP)",
    description="The mail of any inbox, read with an app password or a token, never changed.",
    config=ImapConfig,
    cursor=ImapCursor,
    open=open_imap,
    credentials=frozenset({CredentialKind.PASSWORD, CredentialKind.OAUTH}),
    narrow=narrow,
)
