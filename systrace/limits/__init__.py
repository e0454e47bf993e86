"""Limits on the figures of a report: ``--fail-if 'EXPR'`` and budgets. Pure: no root, no bcc."""
