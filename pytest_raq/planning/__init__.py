"""How many questions are needed to find a loss."""
