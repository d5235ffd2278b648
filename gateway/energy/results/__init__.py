"""Carbon and standard coal out of the books: made from booked amounts, and kept in every version."""
