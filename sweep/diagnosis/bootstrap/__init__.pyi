from .binary import bootstrap as bootstrap
from .multiclass import bootstrap_several as bootstrap_several
