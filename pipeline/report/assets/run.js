
/* The viewer of a run: its models by choice, and the gallery that leads to the camera of a photo */

function startRun(root) {
  const viewer = makeViewer(root);
  if (!viewer) return;
  const packed = JSON.parse(document.getElementById("models").textContent);
  const controls = makeControls(root, [viewer]), select = root.querySelector("[name=model]");
  let shown;

  function show(index) {
    shown = index;
    if (select) select.value = index;
    for (const part of document.querySelectorAll("[data-model]")) part.hidden = +part.dataset.model !== index;
    viewer.look(null);
    viewer.show(packed[index]);
    controls.refresh();
  }

  select?.addEventListener("change", (event) => show(+event.target.value));
  document.querySelector(".photos")?.addEventListener("click", (event) => {
    const card = event.target.closest(".photo:not(.missing)");
    if (!card || event.target.closest("button")) return;
    const at = (index) => packed[index].cameras.findIndex(({ photo }) => card.id === `photo-${photo}`);
    if (at(shown) < 0) show(packed.findIndex((_, index) => at(index) >= 0));
    viewer.choose(at(shown));
    root.scrollIntoView({ block: "center" });
  });
  show(0);
}

for (const root of document.querySelectorAll(".viewer")) startRun(root);
