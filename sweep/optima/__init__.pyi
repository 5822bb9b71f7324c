from .optimum import optimum as optimum
from .records import AccuracyOptimum as AccuracyOptimum
from .records import CrossEntropyOptimum as CrossEntropyOptimum
from .records import Optimum as Optimum
from .records import OptimumStatus as OptimumStatus
from .records import PopulationOptimum as PopulationOptimum
from .records import SketchOptimum as SketchOptimum
