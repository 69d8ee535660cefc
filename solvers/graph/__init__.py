"""Problems on graphs: colouring, independent sets, Hamiltonian paths."""
