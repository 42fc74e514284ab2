"""Says how many characters it was asked; `slow` among them makes it slow."""

import time

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        texts = [pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy()[0] for request in requests]
        if any(b"slow" in text for text in texts):
            time.sleep(3)
        said = [np.array([str(len(text)).encode()], dtype=object) for text in texts]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("text_output", each)]) for each in said]
