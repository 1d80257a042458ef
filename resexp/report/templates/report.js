"use strict";

// The page is complete without this script, which makes tables sortable and remembers the chosen theme. It
// only reads the page: no text of a report is ever part of it.

function sortable(table) {
  const body = table.tBodies[0];
  const given = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];

  function value(row, place) {
    const cell = row.cells[place];
    if (!heads[place].classList.contains("n")) return cell.textContent.trim();
    return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
  }

  function compare(one, other, place, sign) {
    const [a, b] = [value(one, place), value(other, place)];
    if (a === null || b === null) return (a === null) - (b === null); // missing numbers come last
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
  }

  // The first click sorts upward, the second downward, and the third restores the order of the report.
  function sort(place) {
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    const order = next[heads[place].getAttribute("aria-sort") ?? "none"];
    for (const head of heads) head.removeAttribute("aria-sort");
    table.classList.toggle("sorted", order !== "none");
    if (order === "none") return body.append(...given);
    heads[place].setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    body.append(...[...given].sort((one, other) => compare(one, other, place, sign)));
  }

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(place));
    head.append(button);
  });
}

function remember(themes) {
  const key = "resexp-theme";
  try {
    const chosen = localStorage.getItem(key);
    for (const theme of themes) {
      theme.checked = chosen === null ? theme.checked : theme.value === chosen;
      theme.addEventListener("change", () => localStorage.setItem(key, theme.value));
    }
  } catch {
    // The browser keeps nothing for this page. The switch works all the same.
  }
}

document.querySelectorAll("main table").forEach(sortable);
remember(document.querySelectorAll("input[name=theme]"));
