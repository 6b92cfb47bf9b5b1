"""Other simulators' names for our parameters: name -> (ours, factor to our unit)."""

#: PyNN's names, with PyNN's units (nF, nA) brought to ours (pF, pA).
PYNN: dict[str, tuple[str, float]] = {
    "v": ("V_m", 1.0),
    "v_rest": ("E_L", 1.0),
    "v_thresh": ("V_th", 1.0),
    "v_reset": ("V_reset", 1.0),
    "tau_refrac": ("t_ref", 1.0),
    "cm": ("C_m", 1000.0),
    "i_offset": ("I_e", 1000.0),
    "tau_syn_E": ("tau_syn_ex", 1.0),
    "tau_syn_I": ("tau_syn_in", 1.0),
    "e_rev_E": ("E_ex", 1.0),
    "e_rev_I": ("E_in", 1.0),
    "amplitude": ("I", 1000.0),
    "stdev": ("std", 1000.0),
}
