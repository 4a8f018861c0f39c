// Starting a <video> element.

/** A browser that allows no sound yet still shows the picture; a page that was left may not play at all. */
export function play(video) {
  video.play().catch((error) => {
    if (error.name !== "NotAllowedError" || video.muted) return;
    video.muted = true;
    video.play().catch(() => {});
  });
}
