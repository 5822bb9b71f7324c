"""The command line: parse, call, print. The only package that prints.

Exit codes: 0 done; 1 the request cannot be met; 2 wrong usage; 130 interrupted. Every error is one
sentence on stderr. A command's module is imported when the command runs, so that `sweep --help`
answers at once.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
