/** The mark on the page's icon, seen among the browser's tabs, and the sound. */

const PLAIN = "favicon.svg";
const MARKED = "favicon-news.svg";

export function markIcon(isMarked) {
  const link = document.querySelector('link[rel="icon"]');
  const [from, to] = isMarked ? [PLAIN, MARKED] : [MARKED, PLAIN];
  if (link.href.endsWith(`/${from}`)) link.href = link.href.slice(0, -from.length) + to;
}

/** Plays two short, quiet tones. */
export function playSound() {
  const audio = new AudioContext();
  const volume = audio.createGain();
  volume.gain.value = 0.06;
  volume.connect(audio.destination);
  const tones = [660, 880].map((pitch, at) => {
    const tone = audio.createOscillator();
    tone.frequency.value = pitch;
    tone.connect(volume);
    tone.start(audio.currentTime + 0.14 * at);
    tone.stop(audio.currentTime + 0.14 * at + 0.12);
    return tone;
  });
  tones.at(-1).addEventListener("ended", () => audio.close());
}
