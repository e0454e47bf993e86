"""systrace: which calls of a program enter ring 0, and which never leave ring 3."""

__version__ = "0.1.0"
