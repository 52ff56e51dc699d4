// Thumbnails: each lies once at the end of the page, hidden, and is shown where it belongs when that comes near the screen.
const source = (number) => byId("t" + number).src;

function develop(image, decoding = "async") {
  if (image.src) return;
  for (const end of ["load", "error"]) image.addEventListener(end, () => image.classList.add("developed"), { once: true });
  image.decoding = decoding;
  image.src = source(image.dataset.thumbnail);
}

function developWhenNear() {
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      develop(entry.target);
    }
  }, { rootMargin: "500px" });
  for (const image of all("img[data-thumbnail]")) watcher.observe(image);
  addEventListener("beforeprint", () => { for (const image of shown()) develop(image, "sync"); });
}

const shown = () => all("main img[data-thumbnail]").filter((image) => image.getClientRects().length);

// The browser's own print command does not wait for pictures that were never near the screen; this does.
async function print() {
  const images = shown();
  for (const image of images) develop(image, "sync");
  await Promise.allSettled(images.map((image) => image.decode()));
  window.print();
}

function tint() {
  for (const frame of all("[data-tint]")) frame.style.setProperty("--tint", "#" + frame.dataset.tint);
}
