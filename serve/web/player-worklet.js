// Audio worklet: plays the samples of replies in order, and tells where it is.

const TOLD_S = 0.04; // interval of reports while something is played
const FADE_S = 0.004; // what is silenced fades so long: no click
const SAME_S = 0.0015; // times are whole milliseconds: less is no gap

class Player extends AudioWorkletProcessor {
  #queue = []; // {reply, at, samples}: `at` is the place of the first sample in its reply
  #tail = new Float32Array(0); // fading samples of what was silenced
  #told = 0; // samples since the last report
  #sounds = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => (data.pcm ? this.#take(data) : this.#silence());
  }

  /** Append samples; where they begin before the end of the queue, they replace its rest. */
  #take({ reply, startMs, pcm }) {
    const samples = Float32Array.from(new Int16Array(pcm), (sample) => sample / 32768);
    let at = Math.round((startMs / 1000) * sampleRate);
    for (let last = this.#queue.at(-1); last && last.reply === reply; last = this.#queue.at(-1)) {
      const end = last.at + last.samples.length;
      if (at > end - SAME_S * sampleRate) {
        if (at < end + SAME_S * sampleRate) at = end;
        break;
      }
      if (at > last.at) last.samples = last.samples.subarray(0, at - last.at);
      else this.#queue.pop();
    }
    this.#queue.push({ reply, at, samples });
  }

  #silence() {
    const [head] = this.#queue;
    const length = head ? Math.min(Math.round(FADE_S * sampleRate), head.samples.length) : 0;
    if (length) this.#tail = head.samples.slice(0, length).map((sample, n) => sample * (1 - (n + 1) / length));
    this.#queue.length = 0;
    this.#tell(head, head?.at ?? 0);
  }

  process(_, [[output]]) {
    let filled = Math.min(this.#tail.length, output.length);
    output.set(this.#tail.subarray(0, filled));
    this.#tail = this.#tail.subarray(filled);
    let head = null;
    while (filled < output.length && this.#queue.length) {
      [head] = this.#queue;
      const count = Math.min(output.length - filled, head.samples.length);
      output.set(head.samples.subarray(0, count), filled);
      filled += count;
      head.samples = head.samples.subarray(count);
      head.at += count;
      if (!head.samples.length) this.#queue.shift();
    }
    this.#told += output.length;
    const stops = this.#sounds && !head;
    if (stops || (head && (!this.#sounds || this.#told >= TOLD_S * sampleRate || !this.#queue.length))) {
      this.#tell(head, head?.at ?? 0);
    }
    return true;
  }

  #tell(head, at) {
    this.#sounds = this.#queue.length > 0;
    this.#told = 0;
    this.port.postMessage({ reply: head?.reply ?? null, playedMs: (at / sampleRate) * 1000, sounds: this.#sounds });
  }
}

registerProcessor("player", Player);
