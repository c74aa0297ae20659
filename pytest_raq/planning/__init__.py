"""How many questions find which loss."""
