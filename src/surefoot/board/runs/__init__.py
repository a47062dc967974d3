"""Our own runs onto a board, the results that this package carries, submissions run again."""
