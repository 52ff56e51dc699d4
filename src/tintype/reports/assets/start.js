document.addEventListener("DOMContentLoaded", () => {
  root.classList.add("ready");
  document.querySelector(".tools").hidden = false;
  byId("theme").addEventListener("click", switchTheme);
  byId("print").addEventListener("click", print);
  tint();
  fold();
  pin();
  developWhenNear();
  search();
  enlarge();
});
