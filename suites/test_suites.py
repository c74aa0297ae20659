"""Runs the suites of this folder: every model, every question, then the gate.

Each fixture provides one result and is parametrized by pytest-raq;
`check` gets the result and fails with one line if there is none.
"""


def test_answer(raq_answer):
    """A model answers a question."""
    raq_answer.check()


def test_ranking(raq_ranking):
    """The judge ranks the answers to a question."""
    raq_ranking.check()


def test_speed(raq_speed, benchmark):
    """A model's speed is measured."""
    raq_speed.check(benchmark)


def test_gate(raq_gate):
    """A model is no worse than its accepted baseline."""
    raq_gate.check()
