from .landscape import landscape as landscape
from .landscape import prepare as prepare
from .models import Slice as Slice
from .out_of_core import thinned as thinned
from .prepared import Prepared as Prepared
from .stack import evenly_spaced as evenly_spaced
from .stack import sample as sample
from .stack import stacked as stacked
