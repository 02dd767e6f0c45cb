// What a person sees and does of a PolygonEditor: it draws the state that Python sends, and sends
// back presses, releases and commands. Nothing is decided here, so that all of it can be tested in
// Python. Only the corner or the box that follows the pointer is drawn without asking.

const KEYS = {
  Enter: ["close"], Escape: ["cancel"], Delete: ["delete"], Backspace: ["delete"],
  PageDown: ["go", 1], PageUp: ["go", -1], ".": ["select_next", 1], ",": ["select_next", -1],
  d: ["choose_tool", "draw"], e: ["choose_tool", "edit"], b: ["choose_tool", "box"],
  z: ["undo"], u: ["undo"], s: ["save"],
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TOOLS = { draw: "Draw (d)", edit: "Edit (e)", box: "Box → model (b)" };

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "cvcourse-polygons";
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's own shortcuts, such as D D
  el.append(root);
  const bar = root.appendChild(document.createElement("div"));
  const canvas = root.appendChild(document.createElement("canvas"));
  const said = root.appendChild(document.createElement("div"));
  const help = root.appendChild(document.createElement("div"));
  bar.className = "bar";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "Tools");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Picture on which polygons are drawn");
  said.className = "said";
  said.setAttribute("role", "status");
  help.className = "help";
  help.textContent =
    "Draw: click corners, close with Enter or at the first corner. Edit: drag corners, or edges " +
    "to insert one; Delete removes. Box: drag around an object. Keys: arrows and Space in place " +
    "of the mouse, comma and full stop to select a corner, z undo, Page Up/Down other pictures.";

  const picture = new Image();
  let pressed = null; // where the button went down, while it is down
  let pointer = null; // where the pointer is, or the cursor of the arrow keys
  let byKeys = false;

  const state = () => model.get("state");
  const send = (name, ...values) => model.send({ name, values });

  function button(text, name, ...values) {
    const made = bar.appendChild(document.createElement("button"));
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", () => send(name, ...values));
    return made;
  }
  const tools = Object.fromEntries(
    Object.entries(TOOLS).map(([tool, text]) => [tool, button(text, "choose_tool", tool)])
  );
  const classes = bar.appendChild(document.createElement("select"));
  classes.setAttribute("aria-label", "Class");
  classes.addEventListener("change", () => send("choose_label", Number(classes.value)));
  button("Close (Enter)", "close");
  button("Delete (Del)", "delete");
  const undo = button("Undo (z)", "undo");
  const before = button("◀", "go", -1);
  const next = button("▶", "go", 1);
  before.setAttribute("aria-label", "Previous picture");
  next.setAttribute("aria-label", "Next picture");
  button("Export (s)", "save");

  function place(event) {
    const frame = canvas.getBoundingClientRect();
    const { width, height } = state();
    const x = ((event.clientX - frame.left) / frame.width) * width;
    const y = ((event.clientY - frame.top) / frame.height) * height;
    return [Math.round(100 * x) / 100, Math.round(100 * y) / 100];
  }
  function press(at) {
    pressed = at;
    send("press", ...at);
  }
  function release(at) {
    if (pressed === null) return;
    pressed = null;
    send("release", ...at);
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    canvas.focus();
    canvas.setPointerCapture(event.pointerId);
    byKeys = false;
    pointer = place(event);
    press(pointer);
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    byKeys = false;
    pointer = place(event);
    draw();
  });
  canvas.addEventListener("pointerup", (event) => release(place(event)));
  canvas.addEventListener("pointercancel", () => {
    if (pressed !== null) release(pressed);
  });
  canvas.addEventListener("pointerleave", () => {
    pointer = null;
    draw();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
    const { tool, selected, width, height } = state();
    if (event.key in ARROWS) {
      const [dx, dy] = ARROWS[event.key].map((step) => step * (event.shiftKey ? 5 : 1));
      if (tool === "edit" && selected && selected[1] !== null) send("nudge", dx, dy);
      else {
        const [x, y] = pointer ?? [width / 2, height / 2];
        pointer = [Math.min(Math.max(x + dx, 0), width), Math.min(Math.max(y + dy, 0), height)];
        byKeys = true;
        draw();
      }
    } else if (event.key === " " && pointer) {
      if (tool === "draw") {
        press(pointer);
        release(pointer);
      } else if (pressed === null) press(pointer);
      else release(pointer); // the second Space: the other corner of a box, or where it goes
    } else if (event.key in KEYS) send(...KEYS[event.key]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  function draw() {
    const { width, height, zoom, outlines, draft, selected, tool, held } = state();
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * zoom * ratio), Math.round(height * zoom * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    canvas.style.width = `${width * zoom}px`;
    const pen = canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.imageSmoothingEnabled = false;
    pen.clearRect(0, 0, w, h);
    if (picture.complete && picture.naturalWidth) pen.drawImage(picture, 0, 0, w, h);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const onScreen = ([x, y]) => [x * zoom, y * zoom];

    function trace(points, closed) {
      pen.beginPath();
      points.map(onScreen).forEach(([x, y]) => pen.lineTo(x, y));
      if (closed) pen.closePath();
    }
    function line(colour, thick) {
      pen.lineWidth = thick + 2;
      pen.strokeStyle = "white";
      pen.stroke();
      pen.lineWidth = thick;
      pen.strokeStyle = colour;
      pen.stroke();
    }
    function dot([x, y], colour, strong) {
      const side = strong ? 11 : 7;
      pen.fillStyle = strong ? "white" : colour;
      pen.strokeStyle = strong ? colour : "white";
      pen.lineWidth = strong ? 3 : 1;
      pen.fillRect(x * zoom - side / 2, y * zoom - side / 2, side, side);
      pen.strokeRect(x * zoom - side / 2, y * zoom - side / 2, side, side);
    }

    outlines.forEach(({ polygon, colour, name }, i) => {
      const [chosen, corner] = selected ?? [null, null];
      const points = polygon.map((point) => [...point]);
      if (held && i === chosen && pressed && pointer) {
        points[corner][0] += pointer[0] - pressed[0];
        points[corner][1] += pointer[1] - pressed[1];
      }
      trace(points, true);
      pen.globalAlpha = i === chosen ? 0.35 : 0.2;
      pen.fillStyle = colour;
      pen.fill("evenodd");
      pen.globalAlpha = 1;
      line(colour, i === chosen ? 3 : 2);
      if (tool === "edit" || i === chosen)
        points.forEach((point, k) => dot(point, colour, i === chosen && k === corner));
      const [x, y] = onScreen(points.reduce((a, b) => (b[1] < a[1] ? b : a)));
      pen.font = "12px sans-serif";
      pen.lineWidth = 3;
      pen.strokeStyle = "white";
      pen.fillStyle = "black";
      const left = Math.min(Math.max(x - 10, 2), width * zoom - 50);
      pen.strokeText(name, left, Math.max(y - 8, 12));
      pen.fillText(name, left, Math.max(y - 8, 12));
    });
    if (draft.length) {
      trace(pointer && tool === "draw" ? [...draft, pointer] : draft, false);
      line("black", 2);
      draft.forEach((point, k) => dot(point, "black", k === 0));
    }
    if (tool === "box" && pressed && pointer) {
      trace([pressed, [pointer[0], pressed[1]], pointer, [pressed[0], pointer[1]]], true);
      line("black", 2);
    }
    if (byKeys && pointer) {
      const [x, y] = onScreen(pointer);
      pen.beginPath();
      pen.moveTo(x - 10, y);
      pen.lineTo(x + 10, y);
      pen.moveTo(x, y - 10);
      pen.lineTo(x, y + 10);
      line("black", 1);
    }
  }
  function update() {
    const { tool, label, classNames, canUndo, canPropose, message, title } = state();
    for (const [name, made] of Object.entries(tools))
      made.setAttribute("aria-pressed", String(name === tool));
    tools.box.disabled = !canPropose;
    undo.disabled = !canUndo;
    classes.replaceChildren(
      ...classNames.slice(1).map((name, i) => new Option(name, i + 1, false, i + 1 === label))
    );
    said.textContent = message ? `${title}. ${message}.` : `${title}.`;
    canvas.style.cursor = tool === "edit" ? "pointer" : "crosshair";
    draw();
  }
  function load() {
    picture.src = model.get("picture");
  }
  picture.addEventListener("load", draw);
  model.on("change:picture", load);
  model.on("change:state", update);
  load();
  update();
  send("rendered");
  return () => {
    model.off("change:picture", load);
    model.off("change:state", update);
  };
}

export default { render };
