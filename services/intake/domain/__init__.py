"""What intake knows and decides: pure rules without storage, network or clock."""
