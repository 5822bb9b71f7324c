from .confusion import Confusion as Confusion
from .cuts import Cut as Cut
from .measure import Density as Density
from .measure import Measure as Measure
from .measure import as_measure as as_measure
from .points import Points as Points
