"""How much memory a computation may take."""

MEMORY_BUDGET = 512 * 2**20  # default bytes of working memory, beyond input and output
LEAST_BUDGET = 2**20  # bytes of working memory below which no plan fits
RESULT_LIMIT = 4 * 2**30  # bytes that the variables of one result may take in memory
