from .binary import bootstrap as bootstrap
from .multiclass import bootstrap_multiclass as bootstrap_multiclass
