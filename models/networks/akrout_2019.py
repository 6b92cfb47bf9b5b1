"""Weight mirrors and Kolen-Pollack on MNIST (Akrout, Wilson, Humphreys, Lillicrap & Tweed 2019)."""

from __future__ import annotations

import numpy as np

from spikesim.models.networks.kunin_2020 import Kunin2020

MIRROR_VAR = 0.1**2 / 12.0  # noise from -0.05 to 0.05


class Akrout2019(Kunin2020):
    """784-500-10 logistic units with the cross-entropy as loss, whose backward weights learn beside the task.

    In mirror mode noise x drives a layer, the next one answers with y = W x, and amp and decay give dB = x y^T - B,
    which on average is along W^T. kolen_pollack gives B the updates of W. Presets are the runs of the authors' public
    program: 400 epochs in mini-batches of 128, a learning rate for each algorithm, no decay in either (what is to bound
    B there has no effect), a mirror step with each update and an epoch of them ahead. Without a preset it is a weight
    mirror with decay for 20 epochs. dt (ms) is of no use. The JSON of a run is that of `kunin_2020`.

    That program reports test errors of 1.50 % (backprop), 2.20 (feedback_alignment), 1.55 (kolen_pollack) and 1.51
    (weight_mirror) and final weight angles of 40.0, 3.6 and 3.8 degrees for the last three, of one seed.
    """

    hidden: str = "500"
    activation: str = "logistic"
    strategy: str = "weight_mirror"
    spread: float = 1.0
    spread_B: float = 1.0
    decline: float = 0.0
    epochs: int = 20
    batch: int = 128
    mirror: str = "noise"

    title = "Backward weights learn from noise, or from the updates of forward weights"
    reference = "doi:10.48550/arXiv.1904.05391"
    presets = {
        "backprop": dict(strategy="backprop", eta=0.2, epochs=400),
        "feedback_alignment": dict(strategy="feedback_alignment", eta=0.2, epochs=400),
        "kolen_pollack": dict(strategy="kolen_pollack", coefficients="decay=0", eta=0.3, epochs=400),
        "weight_mirror": dict(coefficients="amp=1", eta=0.05, eta_B=0.01, epochs=400, ahead=1, mirror_var=MIRROR_VAR),
    }  # fmt: skip

    def widths(self):
        """As there, Gaussian with variance 1/(n_in + n_out)."""
        return [np.sqrt(1.0 / sum(pair)) for pair in zip(self.sizes, self.sizes[1:], strict=False)]
