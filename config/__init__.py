"""What was asked for: the plant file as frozen models. Imports nothing of ours."""
