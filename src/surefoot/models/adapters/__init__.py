"""Adapters: small modules that are trained in place of a whole encoder."""
