"""Unit vectors by which pairs of letters a text has: alike spelled is near."""

import zlib

import numpy as np
import triton_python_backend_utils as pb_utils

SIZE = 64


def vector(text):
    counts = np.zeros(SIZE, dtype=np.float32)
    word = b" " + text.lower() + b" "
    for at in range(len(word) - 1):
        counts[zlib.crc32(word[at : at + 2]) % SIZE] += 1.0
    return counts / np.linalg.norm(counts)


class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            texts = pb_utils.get_input_tensor_by_name(request, "text").as_numpy()
            rows = np.array([vector(text[0]) for text in texts], dtype=np.float32)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("embedding", rows)]))
        return responses
