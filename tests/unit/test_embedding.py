"""Static vectors are means of words, whatever else is embedded with them."""

import numpy as np
import pytest

from storage.embedding import DIMENSION, TEXTS_A_BATCH, StaticEmbedder, pack, unpack

PARAGRAPHS = (
    "The worker renews its lease every few seconds. If it dies, another one takes the job over.",
    "Passwords are hashed with a salt before they are stored, and never written to a log.",
    "To install the package, create a virtual environment and run pip inside of it.",
    "Bread dough rises for two hours in a warm kitchen before it goes into the oven.",
    "The train to the mountains leaves the station at seven and arrives before noon.",
    "Invoices are sent at the end of each month, and customers pay them by bank transfer.",
)
PARAPHRASES = (
    "what happens when a process crashes in the middle of a task",
    "how are user credentials kept secure",
    "setting up dependencies with python",
    "baking a loaf at home",
    "railway timetable for a morning journey",
    "billing and payment of clients",
)


@pytest.fixture(scope="module")
def embedder() -> StaticEmbedder:
    return StaticEmbedder()


@pytest.mark.parametrize(("right", "question"), list(enumerate(PARAPHRASES)))
def test_a_paraphrase_is_nearest_to_what_it_means(
    embedder: StaticEmbedder, right: int, question: str
) -> None:
    paragraphs = embedder.embed(PARAGRAPHS)

    likeness = paragraphs @ embedder.embed([question])[0]

    assert int(likeness.argmax()) == right


def test_a_vector_has_length_one(embedder: StaticEmbedder) -> None:
    vectors = embedder.embed(PARAGRAPHS)

    assert vectors.shape == (len(PARAGRAPHS), DIMENSION)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_text_has_the_same_vector_alone_and_among_longer_ones(embedder: StaticEmbedder) -> None:
    alone = embedder.embed(["short"])

    together = embedder.embed(["short", "a much longer text " * 200])

    assert np.array_equal(alone[0], together[0])


def test_the_end_of_a_long_text_counts(embedder: StaticEmbedder) -> None:
    start = "alpha " * 5_000

    vectors = embedder.embed([start, start + "omega " * 5_000])

    assert not np.allclose(vectors[0], vectors[1], atol=1e-2)


def test_more_texts_than_a_batch_keep_their_order(embedder: StaticEmbedder) -> None:
    texts = [f"number {number}" for number in range(TEXTS_A_BATCH * 2 + 1)]

    vectors = embedder.embed(texts)

    assert np.allclose(vectors[-1], embedder.embed(texts[-1:])[0])


def test_nothing_has_a_vector_of_nothing(embedder: StaticEmbedder) -> None:
    vectors = embedder.embed([""])

    assert not vectors.any()
    assert pack(vectors) == [None]


def test_no_texts_have_no_vectors(embedder: StaticEmbedder) -> None:
    assert embedder.embed([]).shape == (0, DIMENSION)


@pytest.mark.parametrize("text", ["\ud800", "<s>", "<|endoftext|>", "\0", "🙂", "日本語", "\t\n"])
def test_any_text_has_a_vector(embedder: StaticEmbedder, text: str) -> None:
    assert np.isfinite(embedder.embed([text])).all()


def test_what_is_packed_is_nearly_the_same_unpacked(embedder: StaticEmbedder) -> None:
    vectors = embedder.embed(PARAGRAPHS)

    packed = [row for row in pack(vectors) if row is not None]

    assert {len(row) for row in packed} == {2 * DIMENSION}
    assert np.allclose(unpack(packed), vectors, atol=1e-3)
