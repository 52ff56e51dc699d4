"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // Browsers may refuse storage to a file; the page then follows the system each time.
  const remember = (theme) => { try { localStorage.setItem("tintype-theme", theme); } catch {} };
  const remembered = () => { try { return localStorage.getItem("tintype-theme"); } catch { return null; } };
  const theme = remembered();
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
  }

  // Thumbnails: each lies as text in a script element that never runs, until its picture comes near the screen.
  const source = (number) => "data:image/jpeg;base64," + byId("t" + number).textContent;

  function develop(image) {
    if (image.src) return;
    for (const end of ["load", "error"]) image.addEventListener(end, () => image.classList.add("developed"), { once: true });
    image.decoding = "async";
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
    addEventListener("beforeprint", () => {
      for (const image of all("img[data-thumbnail]")) if (image.getClientRects().length) develop(image);
    });
  }

  function tint() {
    for (const frame of all("[data-tint]")) frame.style.setProperty("--tint", "#" + frame.dataset.tint);
  }

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

  // The enlarger: a modal dialog, so focus stays in it and Escape closes it by itself.
  function enlarge() {
    const light = byId("light"), image = byId("light-image"), blank = byId("light-blank"), flag = byId("light-flag");
    const compare = light.querySelector("[data-do=compare]");
    let frames = [], at = 0, comparing = false;

    const kept = () => frames[at].closest(".film")?.querySelector(".kept .frame");

    function draw() {
      const frame = comparing ? kept() : frames[at];
      const thumbnail = frame.querySelector("img[data-thumbnail]");
      image.hidden = !thumbnail;
      blank.hidden = !!thumbnail;
      flag.hidden = !comparing;
      if (thumbnail) image.src = source(thumbnail.dataset.thumbnail);
      compare.setAttribute("aria-pressed", comparing);
    }

    function show(index) {
      at = (index + frames.length) % frames.length;
      comparing = false;
      const caption = frames[at].parentElement.querySelector("figcaption");
      byId("light-words").replaceChildren(...[...caption.children].map((child) => child.cloneNode(true)));
      byId("light-count").textContent = (at + 1).toLocaleString("en") + " / " + frames.length.toLocaleString("en");
      image.alt = caption.querySelector(".name").textContent;
      compare.hidden = !kept() || kept() === frames[at];
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

    document.addEventListener("click", (event) => {
      const frame = event.target.closest(".frame");
      if (!frame) return;
      frames = all("main .frame").filter((one) => one.getClientRects().length);
      show(frames.indexOf(frame));
      light.showModal();
    });
    light.addEventListener("click", (event) => {
      const button = event.target.closest("[data-do]");
      if (button) deeds[button.dataset.do](button);
    });
    light.addEventListener("keydown", (event) => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      deeds[keys[event.key]]();
    });
    light.addEventListener("close", () => frames[at].focus());
  }

  document.addEventListener("DOMContentLoaded", () => {
    root.classList.add("ready");
    document.querySelector(".tools").hidden = false;
    byId("theme").addEventListener("click", switchTheme);
    tint();
    fold();
    developWhenNear();
    search();
    enlarge();
  });
})();
