"""The wall around student code. `zygote`, `kernel` and `checks` run behind it; `box` and `limits` before it."""
