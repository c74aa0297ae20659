"""Logs of other evaluation tools, read as answers."""

AUTO, RAQ, LM_EVAL, INSPECT, PROMPTFOO = "auto", "raq", "lm-eval", "inspect", "promptfoo"
FORMATS = (AUTO, RAQ, LM_EVAL, INSPECT, PROMPTFOO)
"""The names of the formats of answers; ``auto`` decides by the content."""
