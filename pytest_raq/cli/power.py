"""``raq power``."""
def add_power_command(commands): pass
