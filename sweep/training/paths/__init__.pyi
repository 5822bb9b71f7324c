from .run import Paths as Paths
from .run import paths as paths
