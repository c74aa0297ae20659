"""Suites run in a special way: ladders, engines on trial, answers of other tools."""
