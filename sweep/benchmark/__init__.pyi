from .run import bench as bench
