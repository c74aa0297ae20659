"""Checks whether a judge can be trusted: with sentinels, people and other judges."""
