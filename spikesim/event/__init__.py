"""The event-driven engine: spikes at real-valued times, no clock; a neuron advances when something happens to it.

Time is a whole number of picoseconds (1e-9 ms) and a remainder below one, so a second and an hour have the same digits.
What users prescribe (times of replayed spikes, delays, ends of runs) of up to nine decimals of a millisecond is exact:
0.1 and 0.2 ms after each other is when 0.3 ms is. What neurons do between has all digits of a float64.

What happens at one time t, and in which order:

1. Spikes that are due at t, in the order of populations and ids: they followed from what was before. The spike is
   recorded, the neuron reset and refractory until t + t_ref; at t + t_ref it is no longer so.
2. Everything that arrives at t: postsynaptic spikes at synapses with a dendritic delay, then presynaptic spikes, then
   postsynaptic spikes at synapses without one (`spikesim.plasticity` tells why); of each kind in the order of their
   senders. Inputs are added to the neurons; not before all are in does anyone look at a threshold.
3. Neurons that an input has lifted to their threshold spike at t, as under 1.

A delay is longer than nothing, so that what a spike at t causes comes after t. The one thing that depends on the order
of inputs is the rounding of their sum.

Between two events a neuron's next spike is known exactly, see `spikesim.event.crossing`; `spikesim.event.kernel` takes
the earliest of all spikes to come, and of all arrivals, from two heaps. What has no event description
(`Neuron.event`) is refused with a list of what has.
"""
