// The enlarger: a modal dialog, so focus stays in it and Escape closes it by itself.
function enlarge() {
  const light = byId("light"), sheet = byId("light-sheet"), image = byId("light-image"), over = byId("light-over");
  const blank = byId("light-blank"), flag = byId("light-flag"), fade = byId("light-fade"), range = fade.querySelector("input");
  const compare = light.querySelector("[data-do=compare]");
  let frames = [], at = 0, comparing = false;

  const list = () => frames[at].closest("[data-base]");
  const base = () => list()?.querySelector(".base .frame");
  const thumbnail = (frame) => frame.querySelector("img[data-thumbnail]")?.dataset.thumbnail;

  // The sheet is as large as the picture shows, so that what is drawn or laid over it has its measure.
  function fit() {
    if (!image.naturalWidth) return;
    const frame = byId("light-frame");
    const scale = Math.min(Math.min(frame.clientWidth, 860) / image.naturalWidth, Math.min(frame.clientHeight, 680) / image.naturalHeight);
    sheet.style.width = image.naturalWidth * scale + "px";
    sheet.style.height = image.naturalHeight * scale + "px";
    lay();
  }

  // The picture over the one it is compared with: its six numbers are shares of width and height.
  function lay() {
    const [p, q, r, s, t, u] = (frames[at]?.dataset.lies || "").split(" ").map(Number);
    const wide = sheet.clientWidth, high = sheet.clientHeight;
    if (over.hidden || !wide || !high) return;
    over.style.transform = `matrix(${p}, ${s * high / wide}, ${q * wide / high}, ${t}, ${r * wide}, ${u * high})`;
  }

  function draw() {
    const own = frames[at], shown = comparing ? base() : own, isLaid = comparing && own.dataset.lies && thumbnail(own);
    const number = thumbnail(shown);
    sheet.hidden = !number;
    blank.hidden = !!number;
    if (number) image.src = source(number);
    over.hidden = fade.hidden = !isLaid;
    if (isLaid) over.src = source(thumbnail(own));
    for (const marks of all(".marks", sheet)) marks.remove();
    const marks = comparing ? null : own.querySelector(".marks");
    if (marks && number) sheet.append(marks.cloneNode(true));
    flag.hidden = !comparing;
    flag.textContent = (isLaid ? "laid over " : "") + (list()?.dataset.base || "");
    compare.setAttribute("aria-pressed", comparing);
    fit();
  }

  function show(index) {
    at = (index + frames.length) % frames.length;
    comparing = false;
    const caption = frames[at].parentElement.querySelector("figcaption");
    byId("light-words").replaceChildren(...[...caption.children].map((child) => child.cloneNode(true)));
    byId("light-count").textContent = (at + 1).toLocaleString("en") + " / " + frames.length.toLocaleString("en");
    image.alt = caption.querySelector(".name").textContent;
    compare.hidden = !base() || base() === frames[at];
    byId("light-base").textContent = list()?.dataset.base || "";
    draw();
  }

  async function copy(button) {
    const name = light.querySelector(".name");
    try {
      await navigator.clipboard.writeText(name.textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy name"; }, 1500);
    } catch {
      getSelection().selectAllChildren(name);
    }
  }

  function toggle() {
    if (compare.hidden) return;
    comparing = !comparing;
    draw();
  }

  const deeds = { close: () => light.close(), back: () => show(at - 1), on: () => show(at + 1), compare: toggle, copy };
  const keys = { ArrowLeft: "back", ArrowRight: "on", c: "compare", C: "compare" };

  image.addEventListener("load", fit);
  addEventListener("resize", fit);
  range.addEventListener("input", () => { over.style.opacity = range.value / 100; });
  over.style.opacity = range.value / 100;
  document.addEventListener("click", (event) => {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    frames = all("main .frame").filter((one) => one.getClientRects().length);
    light.showModal();
    show(frames.indexOf(frame));
  });
  light.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) deeds[button.dataset.do](button);
  });
  light.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === range && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    deeds[keys[event.key]]();
  });
  light.addEventListener("close", () => frames[at].focus());
}
