"""systrace and its peers on the same work: ``make bench`` writes RESULTS.md."""
