"""Chunking speed and truth at 512 tokens, side by side with what else one could use.

Every chunker gets the same documents in the same run, slice by slice in turn, so that a busy
machine is busy for all of them. Each round is a process of its own, where nobody has seen any of
them: a tokenizer remembers the words that it has met, and then takes half of the time. Afterwards
tiktoken itself says how many chunks are over the limit.

    python -m benchmarks.chunking
"""

import ast
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
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
_FIRST = "def first():\n    pass\n"
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)

Chunker = Callable[[str], Sequence[str]]


@dataclass(slots=True)
class Result:
    seconds: float = 0.0  # of processor time
    chunks: int = 0
    over: int = 0
    refused: int = 0
    exact: int = 0


def main() -> None:
    print(f"chunking at {LIMIT} tokens of cl100k_base, cold, one thread, MB a CPU second\n")
    ours = report("prose")
    parsed = report("python code")
    print("targets: prose 8 x chonkie, 15 x LangChain; code 0.6 of a bare parse; 0 over, 0 lost")
    print(
        f"reached: {ours['chonkie RecursiveChunker']:.1f} x, "
        f"{ours['LangChain with tiktoken']:.1f} x; {parsed['bare tree-sitter parse']:.2f}"
    )


def report(kind: str) -> Mapping[str, float]:
    """Measure and print; gives back how many times as fast as each we are."""
    documents = corpus(kind)
    size = sum(len(text.encode()) for text in documents) / 1e6
    print(f"{kind}: {len(documents)} documents, {size:.1f} MB")
    print(
        f"  {'':34} {'MB/s':>6} {'ours is':>8} {'chunks':>7} {'over':>7} {'lossless':>9}  refused"
    )
    rounds = measure(kind)
    times = {
        label: median(each[label].seconds / each["headwater"].seconds for each in rounds)
        for label in rounds[0]
    }
    for label, result in rounds[0].items():
        speed = size / median(each[label].seconds for each in rounds)
        line = f"  {label:34} {speed:6.1f} {times[label]:7.1f}x"
        if result.chunks:
            line += f" {result.chunks:7} {result.over / result.chunks:7.2%}"
            line += f" {result.exact / len(documents):9.1%}  {result.refused}"
        print(line)
    print()
    return times


def corpus(kind: str) -> list[str]:
    if kind == "prose":
        return _fill([*_documents(), *topics.values(), *_docstrings()])
    return _fill(path.read_text("utf-8", "ignore") for path in _modules())


def chunkers(kind: str) -> Mapping[str, Chunker]:
    if kind == "prose":
        return {"headwater": _headwater("page.rst"), **_others(None)}
    bare = {"bare tree-sitter parse": _bare_parse()}
    return {"headwater": _headwater("module.py"), **bare, **_others(Language.PYTHON)}


def measure(kind: str) -> Sequence[Mapping[str, Result]]:
    """What each chunker took and made, a round each."""
    new = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=new, max_tasks_per_child=1) as processes:
        return [*processes.map(_round, [kind] * _ROUNDS)]


def _round(kind: str) -> Mapping[str, Result]:
    made_by = chunkers(kind)
    results = {label: Result() for label in made_by}
    for chunker in made_by.values():
        chunker(_FIRST)  # a worker loads what it needs once, not with each document
    for part, (label, chunker) in product(_slices(corpus(kind)), made_by.items()):
        started = time.process_time()
        made = [_attempt(chunker, text) for text in part]
        results[label].seconds += time.process_time() - started
        _judge(results[label], part, made)
    return results


def _headwater(path: str) -> Chunker:
    return lambda text: [chunk.text for chunk in cut(text, path=path, title=path)]


def _others(language: Language | None) -> Mapping[str, Chunker]:
    """What others offer, counting with tiktoken, as their documentation shows it."""
    _register_tiktoken()
    recursive = chonkie.RecursiveChunker(
        tokenizer=_tiktoken(),  # type: ignore[arg-type]  # it takes one, as its documentation says
        chunk_size=LIMIT,
    )
    return {
        "chonkie RecursiveChunker": lambda text: [each.text for each in recursive.chunk(text)],
        "LangChain with tiktoken": _langchain(language).split_text,
    }


def _langchain(language: Language | None) -> RecursiveCharacterTextSplitter:
    if language is None:
        return RecursiveCharacterTextSplitter.from_tiktoken_encoder(
            encoding_name="cl100k_base", chunk_size=LIMIT, chunk_overlap=0
        )
    return RecursiveCharacterTextSplitter.from_language(
        language,
        chunk_size=LIMIT,
        chunk_overlap=0,
        length_function=lambda text: len(_tiktoken().encode(text)),
    )


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
