from .deposit import Deposit as Deposit
from .deposit import Window as Window
from .deposit import fold as fold
from .lattice import Lattice as Lattice
from .plan import CompressionError as CompressionError
from .plan import Plan as Plan
from .plan import plan as plan
from .scatter import deposit as deposit
