"""Whether a judge may be believed: sentinels of known order, people, other judges."""
