from .rules import CODES as CODES
from .rules import findings as findings
