"""What a step does to many synapses, whatever their rule: compiled once, for `spikesim.voltage_side_by_side`.

Every variable is an array with a number for each of `n` synapses.
"""

from numba import njit

from spikesim.cell_course import TINY, episode_at, look
from spikesim.jit import cache_for, hook
from spikesim.plasticity import BOUNDS

HARD, SOFT, NONE = range(3)
KINDS = {"hard": HARD, "soft": SOFT, "none": NONE}
_hard, _soft = hook(BOUNDS["hard"]), hook(BOUNDS["soft"])

with cache_for() as _cache:
    compiled = njit(cache=_cache, error_model="numpy", nogil=True)

    @compiled
    def fill(window, n, first, course):
        """As `look`."""
        look(window, n, first, course)

    @compiled
    def read(seen, z, trace, n):
        """Traces from their exponentials."""
        for e in range(len(trace)):
            if e == 0 or trace[e] != trace[e - 1]:
                for i in range(n):
                    seen[trace[e], i] = z[e, i]
            else:
                for i in range(n):
                    seen[trace[e], i] += z[e, i]

    @compiled
    def take_up(z, kept, height, fade, is_pre, pre, post, n):
        """One step of exponentials, which brings a spike or not."""
        for e in range(len(kept)):
            spiked = pre if is_pre[e] else post
            keep, some = (kept[e], 1.0) if spiked else (1.0, 0.0)
            for i in range(n):
                z[e, i] = (z[e, i] * keep + some * height[e, i]) * fade[e, i]

    @compiled
    def left(z, is_pre, n):
        """Put exponentials that are next to nothing to 0; tells whether any presynaptic ones are left."""
        left = False
        for e in range(len(z)):
            for i in range(n):
                if abs(z[e, i]) < TINY:
                    z[e, i] = 0.0
                left |= is_pre[e] and z[e, i] != 0.0
        return left

    @compiled
    def taken(v, threshold, squared):
        """What a filter takes in of the variable v."""
        if squared:
            above = max(v - threshold, 0.0)
            return above * above
        return v

    @compiled
    def low_pass(value, v, decay, threshold, ahead, same, squared, at, n):
        """One step of one signal; v[at - ahead] is what comes in."""
        if same:
            for i in range(n):
                now = taken(v[at - ahead[0]], threshold[i], squared)
                value[i] = now + (value[i] - now) * decay[i]
        else:
            for i in range(n):
                now = taken(v[at - ahead[i]], threshold[i], squared)
                value[i] = now + (value[i] - now) * decay[i]

    @compiled
    def through(value, a, to, window, course, variable, decay, threshold, ahead, most, same, squared, n):
        """One signal from step a to step `to`. Where the neuron rests, in one go."""
        begin, length = course.begin, course.length
        while a < to:
            e = episode_at(begin, a - most)
            rests, moves = 0, to  # the step after which it does not move any more, and that in which it begins again
            if e >= 0:
                rests = begin[e] + length[e] - 1
            if e + 1 < len(begin):
                moves = min(to, begin[e + 1])
            if e >= 0 and a - most >= rests and moves > a:
                v = course.values[variable, course.offset[e] + length[e] - 1]
                for i in range(n):
                    now = taken(v, threshold[i], squared)
                    value[i] = now + (value[i] - now) * decay[i] ** (moves - a)
                a = moves
            else:
                first, end = a - most, min(to, a + window.shape[1] - most)
                if e >= 0 and rests + most > a:
                    end = min(end, rests + most)
                fill(window, end - first, first, course)
                for at in range(most, end - first):
                    low_pass(value, window[variable], decay, threshold, ahead, same, squared, at, n)
                a = end

    @compiled
    def keep_in(w, new, lost, kind, params, w_min, w_max, n):
        """Put what the bounds leave of new weights into w; `lost` is NaN from the first on that is no number."""
        for i in range(n):
            if kind == HARD:
                w[i] = _hard(w[i], new[i], params[w_min, i], params[w_max, i])
            elif kind == SOFT:
                w[i] = _soft(w[i], new[i], params[w_min, i], params[w_max, i])
            else:
                w[i] = new[i]
            lost[i] += w[i] - w[i]
