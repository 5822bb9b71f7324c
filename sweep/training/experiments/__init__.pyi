from .causes import causes as causes
from .digits import digits as digits
from .outlier import outlier as outlier
