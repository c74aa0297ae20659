"""Accepted states: their files, when a run can be compared with one, and how to accept one."""
