from .diagnose import diagnose as diagnose
from .report import Diagnosis as Diagnosis
from .report import Finding as Finding
