"""How external programs are started and watched, and the files they read and write."""
