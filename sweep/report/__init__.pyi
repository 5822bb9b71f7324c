from .document import document as document
from .document import require_format as require_format
from .document import write as write
