"""What a person at a terminal is told at the end of a run."""

from uuid import UUID

from api.receipt import lines
from api.schemas import CountsView, FailureView, IndexView, ReaderView, ReceiptView

RUN = UUID("0198c2de-7c55-7d6e-b6a5-3f0c54c6d0a1")


def receipt(status: str = "succeeded", **changes: object) -> ReceiptView:
    counts = CountsView(
        found=1_210,
        processed=1_171,
        skipped={"generated": 11, "binary": 20},
        failed={"timeout": 8},
        chunks=5_310,
        tokens=1_000_000,
    )
    whole = ReceiptView(
        run_id=RUN,
        title="main",
        status=status,
        seconds=41.26,
        counts=counts,
        adds_up=True,
        index=IndexView(artifacts=1_171, chunks=5_310),
    )
    return whole.model_copy(update=changes)


def test_a_receipt_says_which_model_was_asked_and_what_it_cost() -> None:
    counts = CountsView(
        model_calls=937, input_tokens=1_200_000, output_tokens=75_000, cost_nanos=600_000_000
    )
    reader = ReaderView(producer="read/1", model="gpt-4.1-mini")

    said = lines(receipt(counts=counts, reader=reader))

    assert said[-1] == (
        "  gpt-4.1-mini was asked 937 times: 1,200,000 tokens in, 75,000 out, $0.6000."
    )


def test_the_numbers_of_a_receipt_stand_in_one_column() -> None:
    said = lines(receipt())

    assert said[0] == "main is ready in 41.3 s."
    assert said[2:8] == [
        "  found      1,210",
        "  processed  1,171  5,310 chunks, 1,000,000 tokens",
        "  unchanged      0",
        "  skipped       31  20 binary, 11 generated",
        "  failed         8  8 timeout",
        "  deleted        0",
    ]


def test_a_receipt_that_does_not_add_up_says_so() -> None:
    assert "do not add up" not in "\n".join(lines(receipt()))
    assert "do not add up" in "\n".join(lines(receipt(adds_up=False)))


def test_a_receipt_lists_some_failures_and_counts_the_others() -> None:
    failure = FailureView(
        title="a\nb.py", stage="read", failure="timeout", detail="too slow", action="Try again."
    )

    said = lines(receipt("succeeded_with_failures", failures=[failure] * 7))

    assert said[0] == "main is ready in 41.3 s, except for 8 that failed."
    assert said.count(r"    a\nb.py: too slow") == 5
    assert said[-1] == "    and 3 more"


def test_the_end_of_a_cancelled_run_says_what_is_kept() -> None:
    assert lines(receipt("cancelled"))[0] == (
        "main: the run was cancelled in 41.3 s. What was indexed is kept."
    )


def test_what_no_model_could_read_is_told_beside_what_failed() -> None:
    counts = CountsView(processed=9, failed={"timeout": 1}, unread={"answer_malformed": 7})
    unread = FailureView(
        title="a.md", stage="read", failure="answer_malformed", detail="No JSON", action="Wait."
    )

    said = lines(receipt("succeeded_with_failures", counts=counts, unread=[unread] * 7))

    assert said[0] == (
        "main is ready in 41.3 s, except for 1 that failed and 7 that no model could read "
        "(7 answer malformed)."
    )
    assert said[-12:-9] == [
        "  Processed, and not read by a model:",
        "    a.md: No JSON",
        "      Wait.",
    ]
    assert said[-1] == "    and 2 more"


def test_a_run_of_which_nothing_failed_does_not_say_that_none_did() -> None:
    counts = CountsView(processed=9, unread={"refused": 1})

    said = lines(receipt("succeeded_with_failures", counts=counts))

    assert said[0] == (
        "main is ready in 41.3 s, except for 1 that no model could read (1 refused)."
    )
