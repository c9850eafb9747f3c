"""Which kinds of sources there are."""

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
from pydantic import ValidationError

from connectors import catalog
from connectors.access import Consent
from connectors.errors import KindBroken, KindUnknown
from connectors.local import CONNECTOR

IMPOSTOR = replace(CONNECTOR, title="Another one")


ASKS_TOO_MUCH = replace(CONNECTOR, kind="other", consent=Consent("github", ()))


def point(value: str) -> EntryPoint:
    return EntryPoint("theirs", value, catalog.GROUP)


def test_local_source_is_always_there() -> None:
    assert catalog.specs()["local"] is CONNECTOR


def test_registering_what_is_there_anyway_changes_nothing() -> None:
    assert catalog.collect([point("connectors.local:CONNECTOR")]) == {"local": CONNECTOR}


@pytest.mark.parametrize(
    "value",
    ["no.such.module:CONNECTOR", "connectors.local:NOTHING", "connectors.local:open_local"],
)
def test_package_that_cannot_be_used_is_named(value: str) -> None:
    with pytest.raises(KindBroken, match="theirs") as caught:
        catalog.collect([point(value)])

    assert "uninstall" in caught.value.action


def test_package_cannot_take_the_name_of_a_kind() -> None:
    with pytest.raises(KindBroken, match="local is there already"):
        catalog.collect([point("tests.unit.test_catalog:IMPOSTOR")])


def test_package_that_asks_for_consent_before_one_can_choose_is_named() -> None:
    with pytest.raises(KindBroken, match="may not be empty"):
        catalog.collect([point("tests.unit.test_catalog:ASKS_TOO_MUCH")])


def test_unknown_kind_is_told_with_those_that_exist() -> None:
    with pytest.raises(KindUnknown, match="'gopher'") as caught:
        catalog.parse("gopher", {})

    assert "local" in caught.value.action


def test_configuration_is_checked_by_its_kind() -> None:
    with pytest.raises(ValidationError):
        catalog.parse("local", {"path": 7})
