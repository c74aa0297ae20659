"""The speed of models: probes, rounds in turns, and samples."""
