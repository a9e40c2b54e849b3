// The microphone as blocks of PCM16, mono, at the sampling rate that the device has.

const HIGHEST_RATE = 48_000; // of the protocol
const LAST_MS = 500; // that the last block may take

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
   * Ask for the microphone.
   * @throws {DOMException} as getUserMedia does, SecurityError where pages get none
   */
  static async open() {
    if (!navigator.mediaDevices?.getUserMedia) throw new DOMException("not a secure context", "SecurityError");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true },
    });
    let context = new AudioContext();
    if (context.sampleRate > HIGHEST_RATE) {
      await context.close();
      context = new AudioContext({ sampleRate: HIGHEST_RATE });
    }
    return new Microphone(stream, context);
  }

  /** Of the blocks. */
  get sampleRate() {
    return this.#context.sampleRate;
  }

  /**
   * Listen.
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
    this.#context.addEventListener("statechange", () => { // a phone call, for instance
      if (!["running", "closed"].includes(this.#context.state)) onTrouble("device_silent");
    });
  }

  /** Let the device go; the last block has been given when this resolves. */
  async stop() {
    if (this.#node) {
      this.#node.port.postMessage("stop");
      await Promise.race([this.#last, new Promise((resolve) => setTimeout(resolve, LAST_MS))]);
    }
    this.#stream.getTracks().forEach((track) => track.stop());
    await this.#context.close();
  }
}
