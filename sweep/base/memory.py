"""How much memory a computation may take."""

MEMORY_BUDGET = 512 * 2**20
"""Default bytes of working memory, beyond input and output."""

LEAST_BUDGET = 2**20
"""Bytes of working memory without which nothing can be planned."""

RESULT_LIMIT = 4 * 2**30
"""Bytes that the variables of one result may take in memory."""
