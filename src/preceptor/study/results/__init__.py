"""From predictions to results.json: intervals, contrasts, conclusions, caveats."""
