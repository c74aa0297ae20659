"""A run, or a history, as one self-contained HTML page."""
