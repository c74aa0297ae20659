"""How fast a model is: probes, rounds in turns, and what is made of them."""
