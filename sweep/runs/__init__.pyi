from .execute import resume as resume
from .execute import run as run
from .status import Status as Status
from .status import status as status
