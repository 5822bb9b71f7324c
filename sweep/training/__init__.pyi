from .problems import Problem as Problem
from .problems import problem as problem
from .split import Split as Split
from .split import split as split
from .train import train as train
