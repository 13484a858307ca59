"""Is the gate itself any good? Bundle pairs whose true difference is known, judged by the shipped gate."""
