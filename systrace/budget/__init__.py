"""Budgets, ``systrace.budget/1``: limits in a TOML file, read, and written from reports. Pure."""

SCHEMA = "systrace.budget/1"
