"""A model provider to try things against: OpenAI-compatible, limited like one, as faulty as asked.

``python -m pipelines.llm.mock`` serves chat completions, responses, embeddings and models on
loopback. What it allows and how it fails is a ``Plan``, which ``/control`` changes while it runs.
It is equipment for tests and measurements, so it answers nonsense, and the same nonsense with the
same seed.
"""
