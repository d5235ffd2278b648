"""What energy costs: tariffs that are data, bills that can be compared with the supplier's."""
