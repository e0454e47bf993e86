"""What this machine offers to systrace, one file a concern: gathered first, then judged."""
