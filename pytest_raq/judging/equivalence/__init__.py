"""Whether an answer means the same as a reference: named grades by fixed rules."""
