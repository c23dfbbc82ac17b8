"""What every HTTP service needs: who calls, what may come in, and how an error is told."""
