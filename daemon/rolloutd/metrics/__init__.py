"""The metrics: each is declared once, on a registry that is passed in.

Labels are of fixed enumerations; no prompt, path or thread id is ever in one. The README's table
says what each metric means; a test holds the two together.
"""
