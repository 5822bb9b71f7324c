from . import archive as archive
from .builder import Sketcher as Sketcher
from .sketch import Sketch as Sketch
