"""Google Drive: all that an account can see, chosen folders of it, or files that it picked."""

from connectors.access import Consent, CredentialKind, Permission
from connectors.connector import Spec
from connectors.drive.config import DriveConfig, DriveCursor, PickedConfig, locate
from connectors.drive.crawl import narrow, open_drive

CONNECTOR = Spec(
    kind="drive",
    title="Google Drive",
    description="Documents, sheets, slides and files: all of a drive, or the folders you choose.",
    config=DriveConfig,
    cursor=DriveCursor,
    open=open_drive,
    credentials=frozenset({CredentialKind.OAUTH}),
    consent=Consent(
        "google",
        (
            Permission(
                "https://www.googleapis.com/auth/drive.readonly",
                "To list and read the files of the folders you choose. Google has no permission "
                "for a folder alone, so it covers all files; nothing is ever changed.",
            ),
        ),
    ),
    narrow=narrow,
    locate=locate,
)

PICKED = Spec(
    kind="drive_files",
    title="Files of Google Drive",
    description="Only the files that you pick, one by one. Google shows us no others.",
    config=PickedConfig,
    cursor=DriveCursor,
    open=open_drive,
    credentials=frozenset({CredentialKind.OAUTH}),
    consent=Consent(
        "google",
        (
            Permission(
                "https://www.googleapis.com/auth/drive.file",
                "To read the files that you pick on Google's page, and no others.",
            ),
        ),
        # https://developers.google.com/workspace/drive/picker/guides/desktop-mobile-picker
        asking={"trigger_onepick": "true", "allow_multiple": "true"},
    ),
)
