"""The traced process: found, launched, followed to its end."""
