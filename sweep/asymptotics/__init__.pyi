from .limits import Limit as Limit
from .limits import Limits as Limits
from .limits import limits as limits
from .published import illustrate as illustrate
from .study import Study as Study
from .study import study as study
from .verdict import Verdict as Verdict
