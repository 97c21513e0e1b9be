"""The grader: checks that notebooks call, and what an instructor runs."""
