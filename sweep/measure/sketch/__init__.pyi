from . import archive as archive
from .builder import Sketcher as Sketcher
from .schema import Schema as Schema
from .sketch import Sketch as Sketch
