from .mixtures import Mixture as Mixture
from .protocol import Distribution as Distribution
from .quantiles import Quantile as Quantile
from .standard import Exponential as Exponential
from .standard import Normal as Normal
from .standard import Uniform as Uniform
