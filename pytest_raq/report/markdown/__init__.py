"""Results for pull requests and job summaries."""
