from .problems import Problem as Problem
from .problems import problem as problem
from .splits import Split as Split
from .splits import split as split
from .train import train as train
