
/* The pictures of a view, large: the arrow keys change from one to the next in the same place */

function startPictures() {
  const pictures = [...document.querySelectorAll(".maps .picture img")];
  if (!pictures.length) return;
  const dialog = document.createElement("dialog"), image = new Image(), caption = document.createElement("p");
  dialog.className = "enlarged";
  dialog.append(image, caption);
  document.body.append(dialog);
  let at = 0;

  function show(index) {
    at = (index + pictures.length) % pictures.length;
    const { src, naturalWidth, naturalHeight } = pictures[at];
    image.src = src;
    image.style.setProperty("--shape", naturalWidth / naturalHeight);
    image.alt = caption.textContent = pictures[at].alt;
  }

  for (const [index, picture] of pictures.entries()) picture.parentElement.addEventListener("click", () => {
    show(index);
    dialog.showModal();
  });
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(at + step);
  });
}

startPictures();
