"""Values that are more than one number, truth value or text, as single values with names of their own."""
