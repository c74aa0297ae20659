"""A chat of two messages as a definition writes it."""

from __future__ import annotations

CHAT = """
messages = [
  {{ role = "system", content = "Be brief." }},
  {{ role = "user", {} }},
]
"""
ASKS = 'content = "{passage} {question}"'
