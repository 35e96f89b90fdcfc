/* The choice of a depth map to draw as points: `diptych view` serves them one by one, a page in a file has none */

function makeDepthChoice(root, show) {
  const choice = document.createElement("select");
  Object.assign(choice, { name: "depth", autocomplete: "off", ariaLabel: "Depth map to draw as points" });
  root.querySelector("[name=reset]").before(choice);
  choice.list = (names) => {
    choice.hidden = !names.length;
    choice.replaceChildren(new Option("Depth map of …", ""), ...names.map((name, i) => new Option(name, i)));
  };
  choice.addEventListener("change", async () => {
    const wanted = choice.value;
    const packed = wanted && await (await fetch(`depth/${wanted}`)).json();
    if (choice.value === wanted) show(packed);
  });
  return choice;
}
