"""The clock-driven engine: every neuron advances by dt, all of it inside one compiled call per thread.

One step is a list of operations, each compiled on its own for one model, rule or recorder and called by address;
so a new combination of models compiles nothing that was compiled before. Step k takes the network from k dt to
(k + 1) dt:

1. plastic synapses drift; those that a postsynaptic spike reaches now apply `on_post` (if they have a dendritic
   delay);
2. spikes emitted d steps ago arrive over delay d: plastic synapses apply `on_pre`, inputs are summed;
3. each neuron advances with its old currents, decays them, adds the input that arrives now, tests its threshold,
   resets, and records a spike at (k + 1) dt;
4. synapses without dendritic delay apply `on_post`; traces take up the spikes of this step, and signals the
   neurons' state;
5. recorders look.

Each thread owns a range of every population and the synapses onto it; threads meet once per minimum delay. Poisson
input that is summed per step comes before all, for it needs no spikes and can be done while waiting. Sums are formed
in an order that does not depend on the number of threads, hence neither do the bits of the result.
"""
