"""Pure statistics: ranks, preferences, speed and power; values in, values out."""
