"""Who is new, who has changed, who is as before; and that nobody is counted twice."""

from uuid import uuid4

from connectors.artifact import (
    Artifact,
    ExternalId,
    FailureClass,
    PartitionKey,
    Ref,
    SkipReason,
)
from connectors.errors import ArtifactGone, SourceRefused
from connectors.events import Failed, Skipped, Tombstone, Upsert
from pipelines.flows.page import MOST_BYTES, Before, Page, sort, weigh
from pipelines.stages import ready_key
from storage.artifacts import ArtifactStatus, Known
from storage.ids import ArtifactId, RunId

RUN, EARLIER = RunId(uuid4()), RunId(uuid4())
DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # of nothing at all


def ref(name: str) -> Ref:
    return Ref(PartitionKey("notes"), ExternalId(name))


def artifact(name: str, version: str = "v1", size: int = 0) -> Artifact:
    return Artifact(ref=ref(name), version=version, kind="note", title=name, size=size)


def known(
    name: str,
    status: ArtifactStatus = ArtifactStatus.READY,
    *,
    run: RunId = EARLIER,
    key: str | None = ready_key(DIGEST),  # a constant
    reason: str | None = None,
) -> Known:
    return Known(
        id=ArtifactId(1),
        external_id=name,
        status=status,
        reason=reason,
        version="v1",
        digest=DIGEST,
        ready_key=key,
        run_id=run,
    )


def before(*rows: Known) -> Before:
    return Before(RUN, {row.external_id: row for row in rows}, ())


def page(*artifacts: Artifact) -> Page:
    said = Page()
    for each in artifacts:
        said.add(Upsert(each))
    return said


def test_a_new_artifact_is_fetched() -> None:
    plan = sort(page(artifact("ant")), before())

    assert [each.title for each in plan.fetch] == ["ant"]


def test_an_equal_version_made_by_these_components_is_unchanged() -> None:
    plan = sort(page(artifact("ant")), before(known("ant")))

    assert (plan.counts.found, plan.counts.unchanged) == (1, 1)
    assert not plan.fetch
    assert not plan.stage


def test_an_equal_version_made_by_older_components_is_staged_without_fetching() -> None:
    plan = sort(page(artifact("ant")), before(known("ant", key="older")))

    assert not plan.fetch
    assert [each.digest for each in plan.stage] == [DIGEST]


def test_what_an_earlier_run_left_behind_is_staged_without_fetching() -> None:
    left = known("ant", ArtifactStatus.STAGED, key=None)
    failed = known("bee", ArtifactStatus.FAILED, key=None)

    plan = sort(page(artifact("ant"), artifact("bee")), before(left, failed))

    assert not plan.fetch
    assert [each.external_id for each in plan.stage] == ["ant", "bee"]


def test_what_this_run_has_counted_is_left_alone() -> None:
    rows = [known(status.value, status, run=RUN) for status in ArtifactStatus]

    plan = sort(page(*(artifact(row.external_id) for row in rows)), before(*rows))

    assert not plan.fetch
    assert not plan.stage
    assert plan.counts.found == 0


def test_what_was_skipped_for_its_content_is_skipped_again_unseen() -> None:
    skipped = known("ant", ArtifactStatus.SKIPPED, reason="binary")

    plan = sort(page(artifact("ant")), before(skipped))

    assert not plan.fetch
    assert (plan.counts.found, plan.counts.skipped) == (1, {"binary": 1})


def test_a_new_version_with_the_old_content_is_unchanged() -> None:
    rows = before(known("ant"))
    plan = sort(page(artifact("ant", "v2")), rows)

    weigh(plan, rows, {ref("ant"): b""})

    assert [(row.external_id, row.version) for row in plan.touch] == [("ant", "v2")]
    assert plan.counts.unchanged == 1
    assert not plan.stage


def test_a_new_content_is_kept_and_staged() -> None:
    rows = before(known("ant"))
    plan = sort(page(artifact("ant", "v2")), rows)

    weigh(plan, rows, {ref("ant"): b"new"})

    assert list(plan.bodies.values()) == [b"new"]
    assert [each.version for each in plan.stage] == ["v2"]
    assert plan.counts.bytes == 3


def test_what_fetching_says_is_followed() -> None:
    plan = sort(page(artifact("ant"), artifact("bee"), artifact("cat")), before())
    refused = SourceRefused("no")
    skip = Skipped(ref("ant"), SkipReason.BINARY, "bytes", "ant")

    weigh(plan, before(), {ref("ant"): skip, ref("bee"): refused, ref("cat"): ArtifactGone("gone")})

    assert plan.skips == {"ant": skip}
    assert plan.failed == {"bee": refused}
    assert not plan.stage


def test_the_last_word_about_an_artifact_counts() -> None:
    said = page(artifact("ant"), artifact("bee"), artifact("ant", "v2"))
    said.add(Tombstone(ref("bee")))
    said.add(Failed(None, PartitionKey("notes"), FailureClass.TRANSIENT, "torn", "Try again."))

    assert [each.version for each in said.upserts.values()] == ["v2"]
    assert list(said.gone) == ["bee"]
    assert len(said.parts) == 1


def test_only_what_this_run_has_staged_is_not_found_again() -> None:
    staged, ready = ArtifactStatus.STAGED, ArtifactStatus.READY
    rows = before(known("a", staged, run=RUN), known("b", staged), known("c", ready, run=RUN))

    assert rows.found([ExternalId(name) for name in "abcd"]) == 3


def test_a_page_is_full_by_number_or_by_weight() -> None:
    assert page(artifact("ant"), artifact("bee")).full(2)
    assert page(artifact("ant", size=MOST_BYTES)).full()
    assert not page(artifact("ant")).full()
