// Decodes an audio file in the browser and streams it as PCM16.

export const FILE_RATE = 16_000;
const BLOCK = FILE_RATE * 0.08;

/** Decode a file to mono samples at 16 kHz. Throws an EncodingError if the browser cannot decode it. */
export async function decode(file) {
  const context = new OfflineAudioContext(1, 1, FILE_RATE);
  const audio = await context.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: audio.numberOfChannels }, (_, n) => audio.getChannelData(n));
  if (channels.length === 1) return channels[0];
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

/**
 * Pass the blocks of a file to `onBlock`: at most in real time, or as fast as `ready` allows.
 * @param {Float32Array} samples
 * @param {{onBlock: Function, ready: () => Promise<void>, realTime: () => boolean, signal: AbortSignal}} to
 *   realTime: may change during playback
 */
export async function play(samples, { onBlock, ready, realTime, signal }) {
  let due = performance.now();
  for (let start = 0; start < samples.length && !signal.aborted; start += BLOCK) {
    const block = samples.subarray(start, start + BLOCK);
    await ready();
    if (signal.aborted) return;
    onBlock(measured(block));
    due = Math.max(due + (block.length / FILE_RATE) * 1000, performance.now() - 1000); // after a pause catch up on 1 s at most
    const early = due - performance.now();
    if (realTime() && early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    else if (!realTime()) due = performance.now();
  }
}

function measured(block) {
  const pcm = new Int16Array(block.length);
  let peak = 0;
  let energy = 0;
  block.forEach((sample, i) => {
    pcm[i] = Math.max(-32768, Math.min(32767, Math.round(sample * (sample < 0 ? 32768 : 32767)))); // as Chromium decodes
    peak = Math.max(peak, Math.abs(sample));
    energy += sample * sample;
  });
  return { pcm: pcm.buffer, peak, rms: Math.sqrt(energy / block.length) };
}
