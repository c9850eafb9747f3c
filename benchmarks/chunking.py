"""Chunking speed and truth at 512 tokens, side by side with what else one could use.

Every chunker gets the same documents in the same run, slice by slice in turn, so that a busy
machine is busy for all of them. A chunker that remembers is a new one in each round. Afterwards
tiktoken itself says how many chunks are over the limit.

    python -m benchmarks.chunking
"""

import ast
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from pydoc_data.topics import topics
from statistics import median

import chonkie
import tiktoken
import tiktoken.registry
import toktok  # type: ignore[import-untyped]  # the wheel ships no types
from langchain_text_splitters import Language, RecursiveCharacterTextSplitter
from tree_sitter import Language as Grammar
from tree_sitter import Parser
from tree_sitter_python import language as python_grammar

from pipelines.chunking import LIMIT, cut

_CORPUS_BYTES = 4_000_000
_SLICE_BYTES = 400_000
_ROUNDS = 5
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)

Chunker = Callable[[str], Sequence[str]]


@dataclass(slots=True)
class Result:
    seconds: list[float] = field(default_factory=list[float])  # of processor time, a round each
    chunks: int = 0
    over: int = 0
    refused: int = 0
    exact: int = 0


def main() -> None:
    print(f"chunking at {LIMIT} tokens of cl100k_base, cold, one thread, MB a CPU second\n")
    prose = _fill([*_documents(), *topics.values(), *_docstrings()])
    ours = report("prose", prose, {"headwater": _headwater("page.rst"), **_others(None)})
    code = _fill(path.read_text("utf-8", "ignore") for path in _modules())
    others = {"bare tree-sitter parse": _bare_parse, **_others(Language.PYTHON)}
    parsed = report("python code", code, {"headwater": _headwater("module.py"), **others})
    print("targets: prose 8 x chonkie, 15 x LangChain; code 0.6 of a bare parse; 0 over, 0 lost")
    print(
        f"reached: {ours['chonkie RecursiveChunker']:.1f} x, "
        f"{ours['LangChain with tiktoken']:.1f} x; {parsed['bare tree-sitter parse']:.2f}"
    )


def report(
    name: str, documents: Sequence[str], chunkers: Mapping[str, Callable[[], Chunker]]
) -> Mapping[str, float]:
    """Measure and print; gives back how many times as fast as each we are."""
    size = sum(len(text.encode()) for text in documents) / 1e6
    results = measure(documents, chunkers)
    own = median(results["headwater"].seconds)
    print(f"{name}: {len(documents)} documents, {size:.1f} MB")
    print(
        f"  {'':34} {'MB/s':>6} {'ours is':>8} {'chunks':>7} {'over':>7} {'lossless':>9}  refused"
    )
    for label, result in results.items():
        speed, times = size / median(result.seconds), median(result.seconds) / own
        line = f"  {label:34} {speed:6.1f} {times:7.1f}x"
        if result.chunks:
            line += f" {result.chunks:7} {result.over / result.chunks:7.2%}"
            line += f" {result.exact / len(documents):9.1%}  {result.refused}"
        print(line)
    print()
    return {label: median(result.seconds) / own for label, result in results.items()}


def measure(
    documents: Sequence[str], chunkers: Mapping[str, Callable[[], Chunker]]
) -> Mapping[str, Result]:
    results = {label: Result() for label in chunkers}
    for number in range(_ROUNDS):
        _round(documents, chunkers, results, judged=number == 0)
    return results


def _round(
    documents: Sequence[str],
    chunkers: Mapping[str, Callable[[], Chunker]],
    results: Mapping[str, Result],
    *,
    judged: bool,
) -> None:
    fresh = {label: make() for label, make in chunkers.items()}
    for result in results.values():
        result.seconds.append(0.0)
    for part, (label, chunker) in product(_slices(documents), fresh.items()):
        started = time.process_time()
        made = [_attempt(chunker, text) for text in part]
        results[label].seconds[-1] += time.process_time() - started
        if judged:
            _judge(results[label], part, made)


def _headwater(path: str) -> Callable[[], Chunker]:
    return lambda: lambda text: [chunk.text for chunk in cut(text, path=path, title=path)]


def _others(language: Language | None) -> Mapping[str, Callable[[], Chunker]]:
    """What others offer, counting with tiktoken, as their documentation shows it."""
    _register_tiktoken()

    def recursive() -> Chunker:
        counter = _tiktoken()
        chunker = chonkie.RecursiveChunker(
            tokenizer=counter,  # type: ignore[arg-type]  # it takes one, as its documentation says
            chunk_size=LIMIT,
        )
        return lambda text: [chunk.text for chunk in chunker.chunk(text)]

    def langchain() -> Chunker:
        if language is None:
            return RecursiveCharacterTextSplitter.from_tiktoken_encoder(
                encoding_name="cl100k_base", chunk_size=LIMIT, chunk_overlap=0
            ).split_text
        return RecursiveCharacterTextSplitter.from_language(
            language,
            chunk_size=LIMIT,
            chunk_overlap=0,
            length_function=lambda text: len(_tiktoken().encode(text)),
        ).split_text

    return {"chonkie RecursiveChunker": recursive, "LangChain with tiktoken": langchain}


def _bare_parse() -> Chunker:
    parser = Parser(Grammar(python_grammar()))

    def parse(text: str) -> Sequence[str]:
        parser.parse(text.encode())
        return ()

    return parse


@cache
def _tiktoken() -> tiktoken.Encoding:
    """The real tiktoken. It would download its ranks: here they come from the wheel of toktok."""
    ranks = toktok._encoding("cl100k_base").token_byte_values()  # noqa: SLF001  # nothing public has them
    return tiktoken.Encoding(
        "cl100k_base",
        pat_str=_PATTERN,
        mergeable_ranks={token: rank for rank, token in enumerate(ranks)},
        special_tokens={"<|endoftext|>": 100_257, "<|endofprompt|>": 100_276},
    )


def _register_tiktoken() -> None:
    tiktoken.registry.ENCODINGS["cl100k_base"] = _tiktoken()


def _attempt(chunker: Chunker, text: str) -> Sequence[str] | None:
    try:
        return chunker(text)
    except ValueError:  # tiktoken refuses a text with `<|endoftext|>` in it
        return None


def _judge(result: Result, texts: Sequence[str], made: Sequence[Sequence[str] | None]) -> None:
    for text, chunks in zip(texts, made, strict=True):
        if chunks is None:
            result.refused += 1
            continue
        result.chunks += len(chunks)
        result.over += sum(len(_tiktoken().encode_ordinary(chunk)) > LIMIT for chunk in chunks)
        result.exact += "".join(chunks) == text


def _slices(documents: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    size = 0
    for text in documents:
        part.append(text)
        size += len(text)
        if size >= _SLICE_BYTES:
            yield part
            part, size = [], 0
    yield part


def _fill(texts: Iterable[str]) -> list[str]:
    """Different ones, until the corpus is large enough."""
    corpus: dict[str, None] = {}
    left = _CORPUS_BYTES
    for text in texts:
        if left > 0 and text not in corpus:
            corpus[text] = None
            left -= len(text.encode())
    return list(corpus)


def _documents() -> Iterator[str]:
    """What the installed packages say of themselves, in Markdown and reStructuredText."""
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*")):
        if path.is_file() and (path.suffix in {".md", ".rst"} or path.name == "METADATA"):
            yield path.read_text("utf-8", "ignore")


def _docstrings() -> Iterator[str]:
    """The documentation within the standard library, a document a module."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for path in _modules():
        nodes = (n for n in ast.walk(ast.parse(path.read_bytes())) if isinstance(n, kinds))
        text = "\n\n".join(filter(None, map(ast.get_docstring, nodes)))
        if len(text) > 2_000:
            yield text


def _modules() -> list[Path]:
    return sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))


if __name__ == "__main__":
    main()
