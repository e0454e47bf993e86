"""A report as text: one file per format, each a pure function of the report."""
