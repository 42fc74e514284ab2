"""In-process detectors: plain synchronous code, one folder a subject, that worker processes load and run."""
