import sys, torch
from pathlib import Path
from speech.cli.training import start_training
from speech.models.ctranslate2_file import read_ctranslate2
from speech.models.whisper_layouts import from_ctranslate2
from speech.models.whisper import Whisper, WhisperConfig
from speech.text.bpe import LabelTokenizer
from speech.train.label.run import train_label
def main(config, console):
    k,t=read_ctranslate2(Path(config.base)/'model.bin')
    m=Whisper(WhisperConfig()).eval()
    m.load_state_dict({k:v.float() for k,v in from_ctranslate2(t).items()})
    tok=LabelTokenizer((Path(config.base)/'tokenizer.json').read_bytes())
    train_label(config,m,tok)
if __name__ == "__main__":
    start_training(main, "hybrid")
