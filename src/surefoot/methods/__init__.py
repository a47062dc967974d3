"""Methods: each turns a Model into a Model, in one short file named after it."""
