"""Orders of the control plane: remembered before they are acted on, carried out at most once."""
