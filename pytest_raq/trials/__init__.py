"""Special runs of suites: ladders of quantizations, engines on trial, external answers."""
