"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const PAGE = 200;
const boxes = [...document.querySelectorAll("#filter input")];
const wanted = () => new Set(boxes.filter((box) => box.checked).map((box) => box.value));

const blank = (text) => text === "" || text === "–";
const status = (number) => data.texts[data.cases[number][0]];

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function row(number, columns) {
  const made = element("tr");
  const texts = data.cases[number].map((place) => data.texts[place]);
  made.dataset.statuses = texts[0];
  columns.forEach((place) => {
    const text = texts[place];
    const cell = element("td", undefined, { "data-of": data.columns[place] });
    if (blank(text)) cell.className = "none";
    else if (text.length > 40) cell.className = "long";
    const shown = element("span", place === 0 ? `${data.signs[text]} ${text}` : text);
    if (place === 0) shown.className = `chip s-${text.replace(" ", "-")}`;
    cell.append(shown);
    made.append(cell);
  });
  return made;
}

function table(group) {
  const chosen = wanted();
  const numbers = data.groups[group].filter((number) => chosen.has(status(number)));
  // What is right is looked at last; what all cases share is said once, and what none has takes no column.
  numbers.sort((a, b) => (status(a) === "right") - (status(b) === "right"));
  const own = (place) => new Set(numbers.map((number) => data.texts[data.cases[number][place]]));
  const places = [...data.columns.keys()].map((place) => [place, own(place)]);
  const columns = places.filter(([place, texts]) => place === 0 || texts.size > 1 || (numbers.length === 1 && place > 1 && !blank(...texts))).map(([place]) => place);
  const shared = places.filter(([place, texts]) => place > 1 && !columns.includes(place) && !blank(...texts));
  const holder = element("div", undefined, { class: "cases" });
  if (!numbers.length) {
    holder.append(element("p", "The filter hides all of these cases."));
    return holder;
  }
  if (shared.length) holder.append(element("p", `All of them: ${shared.map(([place, texts]) => `${data.columns[place]} ${[...texts][0]}`).join("; ")}.`, { class: "soft shared" }));
  const scroll = element("div", undefined, { class: "scroll" });
  const made = element("table", undefined, { class: "cards list" });
  const head = element("tr");
  columns.forEach((place) => head.append(element("th", data.columns[place], { scope: "col" })));
  const body = element("tbody");
  made.append(element("thead"), body);
  made.tHead.append(head);
  scroll.append(made);
  holder.append(scroll);
  let shown = 0;
  const more = element("button", "", { type: "button", class: "more" });
  const add = () => {
    numbers.slice(shown, shown + PAGE).forEach((number) => body.append(row(number, columns)));
    shown = Math.min(shown + PAGE, numbers.length);
    more.hidden = shown === numbers.length;
    more.textContent = `Show more: ${numbers.length - shown} of ${numbers.length} are left`;
  };
  more.addEventListener("click", add);
  add();
  holder.append(more);
  return holder;
}

function close(button) {
  button.setAttribute("aria-expanded", "false");
  document.getElementById(button.getAttribute("aria-controls"))?.remove();
}

function open(button) {
  const line = button.closest("tr");
  line.parentElement.querySelectorAll("button[aria-expanded=true]").forEach(close);
  const id = `opened-${button.dataset.group}`;
  const opened = element("tr", undefined, { class: "opened", id });
  const width = line.cells.length;
  const cell = element("td", undefined, { colspan: width });
  const panel = element("div", undefined, { class: "panel" });
  panel.append(element("b", button.getAttribute("aria-label")), table(button.dataset.group));
  cell.append(panel);
  opened.append(cell);
  line.after(opened);
  button.setAttribute("aria-expanded", "true");
  button.setAttribute("aria-controls", id);
}

function label(button, chosen) {
  const parts = [...button.querySelectorAll("[data-status]")];
  parts.forEach((part) => (part.hidden = !chosen.has(part.dataset.status)));
  const shown = parts.filter((part) => !part.hidden);
  // The gravest stands first.
  button.className = `s-${(shown[0] ?? parts[0]).dataset.status.replace(" ", "-")}${shown.length ? "" : " faded"}`;
  button.setAttribute("aria-label", `${button.dataset.name}: ${shown.map((part) => `${part.dataset.count} ${part.dataset.status}`).join(", ") || "none that is shown"}`);
}

function filter() {
  const chosen = wanted();
  const hides = (shown) => !shown.dataset.statuses.split("|").some((status) => chosen.has(status));
  document.querySelectorAll(".matrix button[data-group]").forEach((button) => label(button, chosen));
  document.querySelectorAll(".kind").forEach((kind) => (kind.hidden = hides(kind)));
  document.querySelectorAll(".matrix button[aria-expanded=true]").forEach(open);
  document.querySelectorAll("details[open][data-group]").forEach(fill);
}

function fill(details) {
  details.querySelector(".cases")?.remove();
  if (details.open) details.append(table(details.dataset.group));
}

document.querySelectorAll(".matrix button[data-group]").forEach((button) =>
  button.addEventListener("click", () =>
    button.getAttribute("aria-expanded") === "true" ? close(button) : open(button),
  ),
);
document.querySelectorAll("details[data-group]").forEach((details) =>
  details.addEventListener("toggle", () => fill(details)),
);
boxes.forEach((box) => box.addEventListener("change", filter));
filter();
