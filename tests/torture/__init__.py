"""The torture chamber: everything that can go wrong, again and again, and one question after it."""
