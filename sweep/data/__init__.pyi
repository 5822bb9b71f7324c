from .history import History as History
from .predictions import Predictions as Predictions
from .sample import Batch as Batch
from .sample import Sample as Sample
from .sample import illustration as illustration
from .sample import load as load
from .shards import Shards as Shards
