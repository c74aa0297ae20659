"""Checks whether a judge may be believed: with sentinels, people and other judges."""
