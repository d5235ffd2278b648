"""The arithmetic of one meter: from its readings to boundaries, pure, judged in one place."""
