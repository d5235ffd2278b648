"""Standard coal, carbon and indicators: exact figures that name every factor they used."""
