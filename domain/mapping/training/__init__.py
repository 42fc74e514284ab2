"""Fine-tuning: data sets made of what is known, jobs, and what they need from outside."""
