from .measurement import Peak as Peak
from .measurement import machine as machine
from .problem import other_peers as other_peers
from .run import PLANS as PLANS
from .run import bench as bench
from .run import memory as memory
from .scoreboard import scoreboard as scoreboard
