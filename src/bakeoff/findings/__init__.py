"""What a study's numbers show, as typed values: verdicts, hypotheses, faults and what they cost."""
