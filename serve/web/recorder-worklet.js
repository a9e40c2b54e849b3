// Audio worklet: collects microphone input into blocks of PCM16, with their peak and RMS levels.

const BLOCK_S = 0.08;

class Recorder extends AudioWorkletProcessor {
  #block = new Int16Array(Math.round(sampleRate * BLOCK_S));
  #filled = 0;
  #peak = 0;
  #energy = 0;
  #running = true;

  constructor() {
    super();
    this.port.onmessage = () => { // stop
      this.#running = false;
      this.#post();
      this.port.postMessage({ last: true });
    };
  }

  process([channels]) {
    if (!this.#running) return false;
    const length = channels.length ? channels[0].length : 0; // 0 while no input is connected
    for (let i = 0; i < length; i += 1) {
      let sample = 0;
      for (const channel of channels) sample += channel[i];
      this.#take(sample / channels.length);
    }
    return true;
  }

  #take(sample) {
    this.#peak = Math.max(this.#peak, Math.abs(sample));
    this.#energy += sample * sample;
    this.#block[this.#filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    this.#filled += 1;
    if (this.#filled === this.#block.length) this.#post();
  }

  #post() {
    if (!this.#filled) return;
    const pcm = this.#block.slice(0, this.#filled).buffer;
    this.port.postMessage({ pcm, peak: this.#peak, rms: Math.sqrt(this.#energy / this.#filled) }, [pcm]);
    this.#filled = this.#peak = this.#energy = 0;
  }
}

registerProcessor("recorder", Recorder);
