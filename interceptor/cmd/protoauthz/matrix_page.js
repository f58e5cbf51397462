
"use strict";
// The page is whole without this script, which adds the search.
const form = document.querySelector("form");
const output = document.querySelector("output");
const none = document.querySelector(".none");
const services = [...document.querySelectorAll("tbody")].map((body) => ({ body, rules: rulesOf(body) }));

// rulesOf returns the rules of a service: each has a row for each way in, and the text of a way has the method's name.
function rulesOf(body) {
  const rules = [];
  for (const row of body.querySelectorAll(".rule")) {
    if (!row.classList.contains("further")) rules.push({ name: "/" + row.dataset.service + "/" + row.firstElementChild.textContent, ways: [] });
    const { name, ways } = rules[rules.length - 1];
    ways.push({ row, data: row.dataset, text: [name, ...[...row.children].slice(1).map((cell) => cell.textContent)].join("\n").toLowerCase() });
  }
  return rules;
}

// show hides what is not asked for: all words must be in one way of a rule, in any order. All ways of the rule are shown.
function show() {
  const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = ["access", "model", "caller"].filter((name) => form[name].value);
  let total = 0;
  let shown = 0;
  for (const { body, rules } of services) {
    let some = false;
    for (const { ways } of rules) {
      const hit = ways.some(({ data, text }) => chosen.every((name) => data[name] === form[name].value) && words.every((word) => text.includes(word)));
      for (const { row } of ways) if (row.hidden === hit) row.hidden = !hit;
      total++;
      if (hit) { shown++; some = true; }
    }
    if (body.hidden === some) body.hidden = !some;
  }
  output.textContent = shown + " of " + total;
  none.hidden = shown > 0;
}

// What is searched for is part of the address, so that it can be sent to others.
function save() {
  const search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  history.replaceState(null, "", "#" + search);
}

function load() {
  const search = new URLSearchParams(location.hash.slice(1));
  for (const name of ["q", "access", "model", "caller"]) {
    const value = search.get(name) || "";
    form[name].value = value;
    if (form[name].value !== value) form[name].value = ""; // a model that is not there
  }
  show();
}

let frame = 0;
function change() {
  cancelAnimationFrame(frame);
  frame = requestAnimationFrame(() => { show(); save(); });
}

form.addEventListener("input", change);
form.addEventListener("reset", change);
form.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("hashchange", load);
form.hidden = false;
load();
