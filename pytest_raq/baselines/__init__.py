"""Accepted states: their files, whether one may be compared with, and how one is accepted."""
