// The map: pins stand where their pictures lie. They are one stop of the Tab key; arrow keys go on from there.
function pin() {
  const map = document.querySelector(".map");
  if (!map) return;
  const pins = all(".pin", map);
  const frameOf = (one) => one.querySelector(".frame");
  const placeOf = (one) => [Number(one.dataset.x) * 1.5, Number(one.dataset.y)];  // the map is 3 to 2
  const board = map.querySelector(".pins");
  board.style.setProperty("--pin", board.dataset.width);
  board.style.setProperty("--grown", Math.max(1.8, 13 / board.dataset.width));
  for (const one of pins) {
    one.style.left = one.dataset.x + "%";
    one.style.top = one.dataset.y + "%";
    one.style.setProperty("--cluster", one.dataset.color);
    // A preview opens towards the middle, so that it stays on the map.
    one.classList.toggle("left", Number(one.dataset.x) > 50);
    one.classList.toggle("up", Number(one.dataset.y) > 50);
    frameOf(one).tabIndex = -1;
  }
  if (pins.length) frameOf(pins[0]).tabIndex = 0;

  // The nearest pin that lies more in that direction than aside of it.
  function next(from, [dx, dy]) {
    const [x, y] = placeOf(from);
    let best = null, least = Infinity;
    for (const one of pins) {
      const [u, v] = placeOf(one), along = (u - x) * dx + (v - y) * dy, aside = Math.abs((u - x) * dy) + Math.abs((v - y) * dx);
      if (one === from || along <= 0 || aside > along) continue;
      if (along + aside < least) [best, least] = [one, along + aside];
    }
    return best;
  }

  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  map.addEventListener("keydown", (event) => {
    const from = event.target.closest(".pin");
    if (!from || !(event.key in ways)) return;
    event.preventDefault();
    const to = next(from, ways[event.key]);
    if (to) frameOf(to).focus();
  });
  map.addEventListener("focusin", (event) => {
    const to = event.target.closest(".pin");
    if (to) for (const one of pins) frameOf(one).tabIndex = one === to ? 0 : -1;
  });

  const button = byId("pins");
  button.parentElement.hidden = !pins.length;
  button.addEventListener("click", () => {
    button.setAttribute("aria-pressed", !map.classList.toggle("bare"));
  });
}
