// Long lists begin folded; without this script they are simply long.
function fold() {
  for (const list of all("[data-fold]")) {
    const kept = Number(list.dataset.fold);
    if (list.children.length <= kept * 1.25) continue;
    [...list.children].slice(kept).forEach((child) => { child.dataset.far = ""; });
    list.classList.add("folded");
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.textContent = "Show all " + list.children.length.toLocaleString("en");
    more.addEventListener("click", () => {
      const first = list.children[kept];
      list.classList.remove("folded");
      more.remove();
      (first.querySelector("button") || first).focus();
    });
    (list.closest(".scroll") || list).after(more);
  }
}

function search() {
  const box = byId("search"), found = byId("found");
  let names = null, timer = 0;

  function read() {
    const items = [...all(".item"), ...all(".gallery > .shot, .contact > .shot")];
    const namesOf = (item) => (item.matches(".name") ? [item] : all(".name", item)).map((name) => name.textContent.toLowerCase());
    return items.map((item) => [item, namesOf(item)]);
  }

  function apply() {
    names ??= read();
    const wanted = box.value.trim().toLowerCase();
    const hits = new Set();
    for (const [item, own] of names) {
      const matching = own.filter((name) => name.includes(wanted));
      for (const name of matching) hits.add(name);
      item.classList.toggle("away", !matching.length);
    }
    if (wanted && !document.body.classList.contains("searching")) scrollTo({ top: 0, behavior: "instant" });
    document.body.classList.toggle("searching", wanted !== "");
    for (const more of all(".more")) more.hidden = wanted !== "";
    const shown = ".item:not(.away), .gallery > .shot:not(.away), .contact > .shot:not(.away)";
    for (const part of all("main > section:not(#overview), .kind")) {
      part.classList.toggle("away", wanted !== "" && !part.querySelector(shown));
    }
    for (const list of all(".names")) list.open = wanted !== "" && !!list.querySelector(".item:not(.away)");
    found.hidden = wanted === "";
    found.textContent = hits.size ? hits.size.toLocaleString("en") + (hits.size === 1 ? " name" : " names") : "No name here has “" + box.value.trim() + "”";
  }

  box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, 120); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest("input, dialog") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      box.focus();
    }
  });
}
