// Records the microphone as mono PCM16 blocks at the sampling rate of the device.

const HIGHEST_RATE = 48_000; // highest rate of the protocol
const LAST_MS = 500; // timeout for the last block

export class Microphone {
  #stream;
  #context;
  #node = null;
  #last = Promise.resolve();

  constructor(stream, context) {
    this.#stream = stream;
    this.#context = context;
  }

  /**
   * Ask for access to the microphone.
   * @param {{echoes?: boolean}} options `echoes`: the page itself sounds, and what comes of that is to be removed
   * @throws {DOMException} as getUserMedia does; SecurityError if the page is not a secure context
   */
  static async open({ echoes = false } = {}) {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("not a secure context", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: echoes, noiseSuppression: false, autoGainControl: true },
    });
    let context = new AudioContext();
    if (context.sampleRate > HIGHEST_RATE) {
      await context.close();
      context = new AudioContext({ sampleRate: HIGHEST_RATE });
    }
    return new Microphone(stream, context);
  }

  /** Sampling rate of the blocks in Hz. */
  get sampleRate() {
    return this.#context.sampleRate;
  }

  /**
   * Start recording.
   * @param {(block: {pcm: ArrayBuffer, peak: number, rms: number}) => void} onBlock
   * @param {(code: "device_gone" | "device_silent") => void} onTrouble
   */
  async start(onBlock, onTrouble) {
    await this.#context.audioWorklet.addModule(new URL("recorder-worklet.js", import.meta.url));
    this.#node = new AudioWorkletNode(this.#context, "recorder", { numberOfOutputs: 0 });
    this.#last = new Promise((resolve) => {
      this.#node.port.onmessage = ({ data }) => (data.last ? resolve() : onBlock(data));
    });
    const [track] = this.#stream.getAudioTracks();
    track.addEventListener("ended", () => onTrouble("device_gone"));
    track.addEventListener("mute", () => onTrouble("device_silent"));
    this.#context.createMediaStreamSource(this.#stream).connect(this.#node);
    await this.#context.resume();
    this.#context.addEventListener("statechange", () => { // for example a phone call
      if (!["running", "closed"].includes(this.#context.state)) onTrouble("device_silent");
    });
  }

  /** Release the device; resolves after the last block was passed on. */
  async stop() {
    if (this.#node) {
      this.#node.port.postMessage("stop");
      await Promise.race([this.#last, new Promise((resolve) => setTimeout(resolve, LAST_MS))]);
    }
    this.#stream.getTracks().forEach((track) => track.stop());
    await this.#context.close();
  }
}
