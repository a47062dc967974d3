"""The board's file: its schema, its rows, the tables that hold them, ranking, search, submissions.

``rows/`` describes every kind of row once, a field per column; ``tables.py`` reads and writes them
by that description.
"""
