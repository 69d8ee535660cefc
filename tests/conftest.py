"""Test-wide settings.

Small tensors run fastest on one thread, whatever else the machine does. Hypothesis's examples take
as long as they take: the machine may be busy, and the first one compiles.
"""

import torch
from hypothesis import settings

torch.set_num_threads(1)
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
