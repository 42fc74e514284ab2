"""Does what words of the text tell."""

import os
import re
import threading
import time

import numpy as np
import triton_python_backend_utils as pb_utils

FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
GOOD = b'"pear"'


def answer(text=GOOD, prompt_tokens=3, tokens=1, reason=b"stop"):
    values = {
        "text_output": np.array(text if isinstance(text, list) else [text], dtype=object),
        "finish_reason": np.array([reason], dtype=object),
        "num_input_tokens": np.array([prompt_tokens], dtype=np.uint32),
        "num_output_tokens": np.array([tokens], dtype=np.uint32),
    }
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in values.items()])


def error(message, code=None):
    told = pb_utils.TritonError(message) if code is None else pb_utils.TritonError(message, code)
    return pb_utils.InferenceResponse(error=told)


def without_text():
    return pb_utils.InferenceResponse([pb_utils.Tensor("finish_reason", np.array([b"stop"], dtype=object))])


def numbers():
    return pb_utils.InferenceResponse([pb_utils.Tensor("text_output", np.array([1.5, 2.5], dtype=np.float32))])


RESPONSES = {
    "good": answer,
    "oom": lambda: error("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "full": lambda: error("Exceeds maximum queue size", pb_utils.TritonError.UNAVAILABLE),
    "failed": lambda: error("something broke: apple pear secret"),
    "lora": lambda: error("LoRA x is not supported, we currently support ['a']"),
    "long": lambda: error("Error generating stream: The decoder prompt is longer than the maximum model length of 8"),
    "parameters": lambda: error("Error generating stream: 'NoneType' object has no attribute 'lora_name'"),
    "not-utf8": lambda: answer(b"\xff\xfe\x00"),
    "two-texts": lambda: answer([GOOD, GOOD]),
    "no-text": without_text,
    "numbers": numbers,
    "truncated-json": lambda: answer(b'"pe'),
    "off-schema": lambda: answer(b'"plum"'),
    "cut": lambda: answer(b'"pe', reason=b"length"),
    "empty": lambda: answer(b""),
}


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            text = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy().reshape(-1)[0].decode()
            # In a prompt with many words of its own, only what stands after `do:` is told.
            words = set(re.findall(r"do:([a-z][a-z0-9-]*)", text) or re.findall(r"[a-z][a-z0-9-]*", text))
            threading.Thread(target=self._do, args=(request.get_response_sender(), words)).start()

    def _do(self, sender, words):
        if "die" in words:
            os._exit(1)
        if "silent" in words:
            sender.send(flags=FINAL)
            return
        if "piece" in words:
            sender.send(answer(b'"pe'))
        if "slow" in words:
            for _ in range(300):
                if sender.is_cancelled():
                    sender.send(flags=FINAL)
                    return
                time.sleep(0.1)
        chosen = next((make for word, make in RESPONSES.items() if word in words), answer)
        sender.send(chosen(), flags=FINAL)
