import subprocess
import sys

SCRIPT = """
import sys
from speech import Recognizer
from speech.audio.input.files import load_audio
from speech.decode.bias.phrases import Phrase
from speech.stream.engine import EngineConfig
from speech.stream.options import StreamOptions
from serve.engine.warm_up import warm_up

def compiled():
    found = [value for module in list(sys.modules.values()) if module.__name__.startswith("speech")
             for value in vars(module).values() if hasattr(value, "py_func")]
    return {f"{one.py_func.__module__}.{one.py_func.__name__}": len(one.overloads) for one in found}

recognizer, config = Recognizer.from_pretrained(), EngineConfig()
warm_up(recognizer, config)
before = compiled()
assert before, "nothing is compiled here"
samples = load_audio("speech/assets/clips/spliced_en_es_vm-tempgreeting.ogg")
recognizer.transcribe(samples, phrases=[Phrase("saludo temporal")], nbest=3)
session = recognizer.engine(config).open(StreamOptions(phrases=(Phrase("saludo temporal"),), targets=("eng",)))
for at in range(0, len(samples), 5000):
    session.accept(samples[at : at + 5000])
session.finish()
later = {name: (before.get(name, 0), count) for name, count in compiled().items() if count != before.get(name, 0)}
assert not later, f"compiled or loaded after the server was ready: {later}"
"""


def test_sessions_compile_nothing_that_the_warm_up_has_not():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
