"""Models for Triton's Python backend: what vLLM's backend does with `text_input`, done by transformers.

Runs inside tritonserver, with torch and transformers and nothing of llama-mapper.
"""
