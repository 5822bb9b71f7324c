from .landscape import landscape as landscape
from .landscape import prepare as prepare
from .models import Slice as Slice
from .prepared import Prepared as Prepared
from .stack import stacked as stacked
