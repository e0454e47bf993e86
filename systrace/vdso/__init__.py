"""The vDSO: the kernel's image of it, and the ways to count calls that it serves."""
