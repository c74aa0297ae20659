"use strict";
// The table of questions. Whatever a model said is put in as a text node, never as markup.
(() => {
  const SIZES = [25, 50, 100, 250];
  const CLIP = 3000; // characters shown before somebody asks for more
  const MATRIX = 4e6; // cells of a word-by-word comparison
  const STATES = [
    ["all", "All"],
    ["worse", "Worse"],
    ["better", "Better"],
    ["tied", "Tied"],
    ["missing", "Missing"],
    ["disagree", "Judges disagree"],
    ["unlikely", "Truth less likely"],
  ];
  const LOST = 0.1; // bits per byte of the reference that make a question less likely
  const BITS = { all: 0, worse: 1, better: 2, tied: 4, missing: 8, disagree: 16, unlikely: 32 };
  const SIGNS = { "-1": ["▼", "worse"], 0: ["=", "tied"], 1: ["▲", "better"] };
  // Controls, direction marks, invisible and lone halves of characters; not tab and newline.
  const HIDDEN =
    /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u061C\u180E\u200B\u200E\u200F\u2028-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]|[\u{E0000}-\u{E0FFF}]|\p{Cs}/gu;
  const WORDS = /[\p{L}\p{M}\p{N}_'’]+|\s+|[^\p{L}\p{M}\p{N}_'’\s]/gu;
  const collator = new Intl.Collator("en", { numeric: true });
  const count = new Intl.NumberFormat("en");

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  const unseen = (text) => make("span", { class: "unseen" }, text);

  // ---- text that may hold anything

  const signOf = (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "␡";
    return "U+" + code.toString(16).toUpperCase().padStart(4, "0");
  };

  const putText = (target, text) => {
    let from = 0;
    for (const found of text.matchAll(HIDDEN)) {
      if (found.index > from) target.append(text.slice(from, found.index));
      const code = found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      target.append(make("span", { class: "hidden-sign", title: `U+${code}` }, signOf(found[0])));
      from = found.index + found[0].length;
    }
    if (from < text.length) target.append(text.slice(from));
  };

  // Where a text may be cut near a place: never within a pair of surrogates.
  const whole = (text, place) => (/[\uD800-\uDBFF]/.test(text[place - 1] ?? "") ? place - 1 : place);

  // Parts are [tag or "", text]; a long text is cut until somebody wants all of it.
  const textOf = (parts, tag = "bdi") => {
    const length = parts.reduce((sum, [, text]) => sum + text.length, 0);
    const box = make(tag, { class: "text", dir: "auto" });
    if (!length) {
      box.append(make("span", { class: "empty" }, "(empty)"));
      return box;
    }
    const fill = (limit) => {
      box.replaceChildren();
      let left = limit;
      for (const [kind, text] of parts) {
        if (left <= 0) break;
        const shown = text.slice(0, whole(text, left));
        const target = kind ? make(kind) : document.createDocumentFragment();
        putText(target, shown);
        box.append(target);
        left -= shown.length;
      }
    };
    fill(CLIP);
    if (length > CLIP) {
      const all = make("button", { type: "button", class: "more" }, `Show all ${count.format(length)} characters`);
      all.addEventListener("click", () => {
        fill(Infinity);
        all.remove();
      });
      return make("div", {}, box, all);
    }
    return box;
  };

  // ---- what differs, word by word

  const compare = (before, now) => {
    const a = before.match(WORDS) ?? [];
    const b = now.match(WORDS) ?? [];
    let start = 0;
    while (start < a.length && start < b.length && a[start] === b[start]) start++;
    let end = 0;
    while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
    const parts = [["=", a.slice(0, start).join("")]];
    parts.push(...middle(a.slice(start, a.length - end), b.slice(start, b.length - end)));
    parts.push(["=", a.slice(a.length - end).join("")]);
    return join(parts);
  };

  const middle = (a, b) => {
    if (a.length * b.length > MATRIX || a.length > 65000 || b.length > 65000) {
      return [["-", a.join("")], ["+", b.join("")]];
    }
    const width = b.length + 1;
    const longest = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--) {
      for (let j = b.length - 1; j >= 0; j--) {
        longest[i * width + j] =
          a[i] === b[j]
            ? longest[(i + 1) * width + j + 1] + 1
            : Math.max(longest[(i + 1) * width + j], longest[i * width + j + 1]);
      }
    }
    const parts = [];
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) {
        parts.push(["=", a[i++]]);
        j++;
      } else if (j >= b.length || (i < a.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
        parts.push(["-", a[i++]]);
      } else {
        parts.push(["+", b[j++]]);
      }
    }
    return parts;
  };

  // Neighbours of one kind become one part; a blank between two changes belongs to them.
  const join = (parts) => {
    const found = parts.filter(([, text]) => text);
    const joined = [];
    let removed = "";
    let added = "";
    const flush = () => {
      if (removed) joined.push(["-", removed]);
      if (added) joined.push(["+", added]);
      removed = added = "";
    };
    found.forEach(([kind, text], index) => {
      if (kind === "-") removed += text;
      else if (kind === "+") added += text;
      else if (removed && added && /^\s+$/.test(text) && index + 1 < found.length && found[index + 1][0] !== "=") {
        removed += text;
        added += text;
      } else {
        flush();
        joined.push(["", text]);
      }
    });
    flush();
    return joined;
  };

  const sideOf = (parts, dropped, kept, tag) =>
    parts.filter(([kind]) => kind !== dropped).map(([kind, text]) => [kind === kept ? tag : "", text]);

  // ---- the references in their passage

  const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|\/-]/g, "\\$&");

  const highlighted = (passage, references) => {
    const wanted = [...new Set(references)].filter((text) => text.trim() && text.length < 1000).slice(0, 50);
    wanted.sort((a, b) => b.length - a.length);
    for (const flags of wanted.length ? ["gu", "giu"] : []) {
      const pattern = `(?<![\\p{L}\\p{N}])(?:${wanted.map(escaped).join("|")})(?![\\p{L}\\p{N}])`;
      let matches = [];
      try {
        matches = [...passage.matchAll(new RegExp(pattern, flags))];
      } catch {
        return [["", passage]]; // half of a character in a reference is no pattern
      }
      if (!matches.length) continue;
      const parts = [];
      let from = 0;
      for (const found of matches) {
        parts.push(["", passage.slice(from, found.index)], ["mark", found[0]]);
        from = found.index + found[0].length;
      }
      parts.push(["", passage.slice(from)]);
      return parts.filter(([, text]) => text);
    }
    return [["", passage]];
  };

  // ---- the data

  const inflate = async (text) => {
    const bytes = Uint8Array.fromBase64
      ? Uint8Array.fromBase64(text)
      : Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).text();
  };

  const read = async (number) => {
    const holder = document.getElementById(`data-${number}`);
    const text = holder.type === "application/json" ? holder.textContent : await inflate(holder.textContent);
    holder.remove();
    const table = JSON.parse(text);
    const names = table.fields;
    table.questions = table.questions.map((row, index) => {
      const item = Object.fromEntries(names.map((name, place) => [name, row[place]]));
      item.index = index;
      // 0 stands for an accepted answer that is the same as today's.
      item.before = item.before.map((text, model) => (text === 0 ? item.now[model] : text));
      return item;
    });
    return table;
  };

  // ---- the table

  class QuestionTable {
    constructor(host, table) {
      this.host = host;
      this.table = table;
      this.models = table.models;
      this.suite = host.dataset.suite;
      this.all = table.questions;
      this.state = "all";
      this.model = -1;
      this.passage = -1;
      this.terms = [];
      this.sort = { key: "index", down: false };
      this.page = 0;
      this.size = 50;
      this.open = new Set();
      this.build();
      this.update();
      this.prepare(0);
    }

    // What is searched is made ready while nobody waits, so that the first search is quick too.
    prepare(from) {
      if (from >= this.all.length) return;
      const idle = window.requestIdleCallback ?? ((work) => setTimeout(() => work({ timeRemaining: () => 10 }), 50));
      idle((deadline) => {
        let index = from;
        while (index < this.all.length && (index % 50 || deadline.timeRemaining() > 2)) this.haystack(this.all[index++]);
        this.prepare(index);
      });
    }

    id(name) {
      return `${name}-${this.suite}`;
    }

    build() {
      this.search = make("input", { type: "search", id: this.id("search"), autocomplete: "off", spellcheck: "false" });
      this.search.addEventListener("input", () => {
        this.terms = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
        this.restart();
      });
      this.modelBox = this.select("Model", [[-1, "any model"], ...this.models.map((name, index) => [index, name])], (value) => {
        this.model = value;
      });
      this.passageBox = this.select("Passage", [[-1, "any passage"], ...this.passageNames()], (value) => {
        this.passage = value;
      });
      this.chips = new Map();
      const group = make("fieldset", { class: "chips" }, make("legend", {}, "Show"));
      for (const [state, label] of STATES) {
        if (state === "disagree" && !this.table.judges) continue;
        if (state === "unlikely" && !this.table.likelihood) continue;
        const chip = make("button", { type: "button", "data-state": state }, label);
        chip.addEventListener("click", () => {
          this.state = state;
          this.restart();
        });
        this.chips.set(state, chip);
        group.append(chip, " ");
      }
      this.reset = make("button", { type: "button" }, "Reset");
      this.reset.addEventListener("click", () => {
        this.choose("all", -1);
        this.search.focus();
      });
      const tools = make("div", { class: "tools", role: "search", "aria-label": `Questions of ${this.host.dataset.name}` },
        make("div", { class: "line" },
          make("label", { class: "search" }, "Search questions, references and answers", this.search),
          this.modelBox, this.passageBox, this.reset),
        group);
      this.told = make("p", { class: "quiet small", "aria-live": "polite", id: this.id("told") });
      this.head = make("tr");
      this.body = make("tbody");
      this.grid = make("table", { class: "questions", "aria-describedby": this.id("told") },
        make("caption", { class: "unseen" }, "Questions with the rank of each model’s answer; a question opens its answers"),
        make("thead", {}, this.head), this.body);
      const region = make("div", { class: "scroll region", tabindex: "0", role: "region", "aria-label": `Table of questions of ${this.host.dataset.name}` }, this.grid);
      this.buildHead();
      this.buildPages();
      this.body.addEventListener("click", (event) => this.toggle(event.target.closest(".opener")));
      this.body.addEventListener("keydown", (event) => this.walk(event));
      this.host.append(tools, this.told, region, this.pages);
    }

    select(label, options, chosen) {
      const box = make("select");
      for (const [value, text] of options) {
        const option = make("option", { value });
        option.textContent = shortened(text, 80);
        box.append(option);
      }
      box.addEventListener("change", () => {
        chosen(Number(box.value));
        this.restart();
      });
      return make("label", {}, label, box);
    }

    passageNames() {
      const titles = new Map();
      for (const item of this.all) if (!titles.has(item.passage)) titles.set(item.passage, item.title);
      return [...titles].map(([index, title]) => {
        const start = this.table.passages[index].slice(0, 60);
        if (!start) return [index, "no passage"];
        return [index, title && title !== start ? `${title}: ${start}` : start];
      });
    }

    buildHead() {
      const columns = [["question", "Question"], ["title", "Passage"], ["change", "Change"]];
      this.models.forEach((name, index) => columns.push([index, name]));
      this.sorters = new Map();
      for (const [key, label] of columns) {
        const text = make("bdi");
        putText(text, shortened(label, 40));
        const button = make("button", { type: "button" }, text, make("span", { class: "arrow", "aria-hidden": "true" }));
        button.addEventListener("click", () => {
          this.sort = { key, down: this.sort.key === key ? !this.sort.down : key !== "question" && key !== "title" && key !== "change" };
          this.restart();
        });
        const cell = make("th", { scope: "col", class: key === "question" || key === "title" ? "left" : null }, button);
        this.sorters.set(key, [cell, button.lastChild]);
        this.head.append(cell);
      }
    }

    buildPages() {
      this.back = make("button", { type: "button" }, "Previous");
      this.next = make("button", { type: "button" }, "Next");
      this.place = make("p", {});
      const turn = (by) => {
        this.page += by;
        this.draw();
        this.grid.scrollIntoView({ block: "start" });
      };
      this.back.addEventListener("click", () => turn(-1));
      this.next.addEventListener("click", () => turn(1));
      const box = make("select", {}, ...SIZES.map((size) => make("option", { value: size }, String(size))));
      box.value = String(this.size);
      box.addEventListener("change", () => {
        this.size = Number(box.value);
        this.page = 0;
        this.draw();
      });
      this.pages = make("div", { class: "pages", role: "group", "aria-label": "Pages" }, this.back, this.place, this.next,
        make("label", {}, "Rows on a page ", box));
    }

    choose(state, model) {
      this.state = state;
      this.model = model;
      this.passage = -1;
      this.terms = [];
      this.search.value = "";
      this.modelBox.querySelector("select").value = String(model);
      this.passageBox.querySelector("select").value = "-1";
      this.sort = { key: "index", down: false };
      this.restart();
    }

    restart() {
      this.page = 0;
      this.update();
    }

    // -- which questions

    haystack(item) {
      item.text ??= [item.id, item.title, item.question, ...item.references, ...item.now, ...item.before]
        .filter((text) => typeof text === "string")
        .join("\n")
        .toLowerCase();
      return item.text;
    }

    isFound(item) {
      if (this.passage >= 0 && item.passage !== this.passage) return false;
      if (!this.terms.length) return true;
      const text = this.haystack(item);
      return this.terms.every((term) => text.includes(term));
    }

    bits(item) {
      let bits = item.missing ? BITS.missing : 0;
      const last = this.model >= 0 ? this.model : this.models.length - 1;
      for (let index = Math.max(this.model, 0); index <= last; index++) {
        const change = item.changes[index];
        if (change !== null) bits |= change < 0 ? BITS.worse : change > 0 ? BITS.better : BITS.tied;
        if (item.now[index] === null) bits |= BITS.missing;
        if (item.lost[index] > LOST) bits |= BITS.unlikely;
      }
      if (bits & (BITS.worse | BITS.better)) bits &= ~BITS.tied;
      return item.disagree ? bits | BITS.disagree : bits;
    }

    change(item) {
      const changes = this.model >= 0 ? [item.changes[this.model]] : item.changes;
      let worse = 0;
      let better = 0;
      for (const change of changes) {
        if (change === -1) worse++;
        if (change === 1) better++;
      }
      return [worse, better];
    }

    update() {
      const wanted = BITS[this.state];
      const places = STATES.slice(1).map(([state]) => BITS[state]);
      const counts = new Array(places.length).fill(0);
      let found = 0;
      this.rows = [];
      for (const item of this.all) {
        if (!this.isFound(item)) continue;
        const bits = this.bits(item);
        found++;
        for (let place = 0; place < places.length; place++) if (bits & places[place]) counts[place]++;
        if (!wanted || bits & wanted) this.rows.push(item);
      }
      this.arrange();
      STATES.forEach(([state, label], place) => {
        const chip = this.chips.get(state);
        if (!chip) return;
        chip.setAttribute("aria-pressed", String(state === this.state));
        chip.textContent = `${label} ${count.format(place ? counts[place - 1] : found)}`;
      });
      this.told.textContent = `${count.format(this.rows.length)} of ${count.format(this.all.length)} questions`;
      this.draw();
    }

    arrange() {
      const { key, down } = this.sort;
      for (const [name, [cell, arrow]] of this.sorters) {
        if (name === key) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
        else cell.removeAttribute("aria-sort");
        arrow.textContent = name === key ? (down ? " ▾" : " ▴") : "";
      }
      if (key === "index") return;
      const turn = down ? -1 : 1;
      const order = {
        question: (a, b) => collator.compare(a.question, b.question),
        title: (a, b) => collator.compare(a.title, b.title) || a.passage - b.passage,
        change: (a, b) => a.weight - b.weight,
      }[key];
      if (key === "change") {
        for (const item of this.rows) {
          const [worse, better] = this.change(item);
          item.weight = better - worse;
        }
      }
      if (order) this.rows.sort((a, b) => turn * order(a, b) || a.index - b.index);
      else {
        // Answers without a rank stand last, whichever way the others stand.
        const rank = (item) => item.ranks[key] ?? turn * Infinity;
        const compare = (a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b));
        this.rows.sort((a, b) => turn * compare(a, b) || a.index - b.index);
      }
    }

    // -- what is shown

    draw() {
      const last = Math.max(0, Math.ceil(this.rows.length / this.size) - 1);
      this.page = Math.min(Math.max(this.page, 0), last);
      const from = this.page * this.size;
      const shown = this.rows.slice(from, from + this.size);
      this.body.replaceChildren(...shown.flatMap((item) => this.row(item)));
      if (!shown.length) {
        this.body.append(make("tr", {}, make("td", { class: "left", colspan: 3 + this.models.length }, "No question fits.")));
      }
      this.back.disabled = this.page === 0;
      this.next.disabled = this.page === last;
      this.place.textContent = shown.length
        ? `${count.format(from + 1)}–${count.format(from + shown.length)} of ${count.format(this.rows.length)}`
        : "";
      this.pages.hidden = this.rows.length <= SIZES[0];
    }

    row(item) {
      const isOpen = this.open.has(item.index);
      const id = `${this.id("detail")}-${item.index}`;
      const name = make("bdi");
      putText(name, shortened(item.question || item.id, 240));
      const opener = make("button", { type: "button", class: "opener", "aria-expanded": String(isOpen), "aria-controls": isOpen ? id : null, "data-index": item.index }, name);
      const passage = make("bdi");
      putText(passage, shortened(item.title, 60));
      const row = make("tr", { class: isOpen ? "item open" : "item" },
        make("th", { scope: "row" }, opener),
        make("td", { class: "passage" }, passage),
        make("td", { class: "rank" }, ...this.changeText(item)),
        ...this.models.map((_, index) => this.rankCell(item, index)));
      return isOpen ? [row, this.detail(item, id)] : [row];
    }

    changeText(item) {
      const [worse, better] = this.change(item);
      const parts = [];
      if (worse) parts.push(make("span", { "aria-hidden": "true" }, `▼ ${worse} `), unseen(`${worse} worse `));
      if (better) parts.push(make("span", { "aria-hidden": "true" }, `▲ ${better}`), unseen(`${better} better`));
      if (item.disagree) parts.push(make("span", { title: "the judges disagree" }, " ≠"), unseen(" judges disagree"));
      return parts.length ? parts : ["–"];
    }

    rankCell(item, index) {
      const cell = make("td", { class: "rank" });
      if (item.now[index] === null) {
        cell.append(make("span", { class: "quiet" }, "no answer"));
        return cell;
      }
      const rank = item.ranks[index];
      const sign = SIGNS[item.changes[index]];
      if (sign && item.changes[index]) cell.append(make("span", { "aria-hidden": "true" }, `${sign[0]} `), unseen(`${sign[1]}, rank `));
      cell.append(rank === null ? "–" : String(rank));
      return cell;
    }

    toggle(opener) {
      if (!opener) return;
      const index = Number(opener.dataset.index);
      const row = opener.closest("tr");
      if (this.open.delete(index)) {
        row.nextElementSibling.remove();
        row.className = "item";
        opener.removeAttribute("aria-controls");
      } else {
        this.open.add(index);
        const id = `${this.id("detail")}-${index}`;
        row.after(this.detail(this.all[index], id));
        row.className = "item open";
        opener.setAttribute("aria-controls", id);
      }
      opener.setAttribute("aria-expanded", String(this.open.has(index)));
    }

    walk(event) {
      const opener = event.target.closest(".opener");
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!opener || !step) return;
      const openers = [...this.body.querySelectorAll(".opener")];
      const next = openers[openers.indexOf(opener) + step];
      if (next) {
        event.preventDefault();
        next.focus();
      }
    }

    detail(item, id) {
      const inner = make("div", { class: "inner" });
      inner.append(make("p", { class: "small quiet" }, "Question ", this.plain(item.id)));
      if (item.question.length > 240) inner.append(textOf([["", item.question]], "p"));
      if (item.missing) inner.append(make("p", {}, "No ranking: ", this.plain(item.missing)));
      const text = this.table.passages[item.passage];
      inner.append(make("h4", {}, "Passage"));
      if (text) {
        const passage = textOf(highlighted(text, item.answerable ? item.references : []), "p");
        passage.classList.add("passage");
        inner.append(passage);
      } else inner.append(make("p", { class: "empty" }, "asked without a passage"));
      inner.append(make("h4", {}, item.references.length === 1 ? "Reference" : "References"));
      const references = make("p");
      item.references.forEach((text, index) => references.append(index ? " · " : "", this.plain(text)));
      if (!item.answerable) references.append(" ", make("span", { class: "quiet" }, "(the passage does not tell)"));
      inner.append(item.references.length || !item.answerable ? references : make("p", { class: "empty" }, "none"));
      inner.append(make("h4", {}, "Answers"), make("ul", { class: "answers" }, ...this.models.map((_, index) => this.answer(item, index))));
      if (item.judges) inner.append(...this.judged(item));
      return make("tr", { class: "details", id }, make("td", { class: "detail", colspan: 3 + this.models.length }, inner));
    }

    plain(text) {
      return textOf([["", text]]);
    }

    answer(item, index) {
      const name = make("bdi");
      putText(name, this.models[index]);
      const title = make("h5", {}, name);
      if (item.ranks[index] !== null) title.append(make("span", { class: "quiet small" }, `rank ${item.ranks[index]}`));
      const change = item.changes[index];
      if (change !== null) {
        const [sign, word] = SIGNS[change];
        const kind = { "-1": "bad", 0: "none", 1: "good" }[change];
        title.append(make("span", { class: `badge ${kind}` }, make("span", { "aria-hidden": "true" }, `${sign} `), word));
      }
      const lost = item.lost[index];
      if (lost) title.append(make("span", { class: "quiet small" }, `reference ${lost > 0 ? "+" : "−"}${Math.abs(lost)} bits per byte`));
      const thought = item.thoughts && item.thoughts[index];
      const fold = thought && thought[0] ? [this.folded(thought[0])] : [];
      const now = item.now[index];
      const before = item.before[index];
      const list = make("dl");
      const say = (what, content, why) => {
        const said = make("dd", {}, content);
        if (why) said.append(" ", make("span", { class: "quiet small" }, this.plain(why)));
        list.append(make("dt", {}, what), said);
      };
      const [why, whyBefore] = [item.why[index], item.whyBefore[index]];
      if (now === null) say("Today", make("span", { class: "empty" }, "no answer: ", this.plain(item.failures[index] || "not requested")));
      else if (thought && thought[1]) say("Today", make("span", { class: "empty" }, "no answer: it ended inside its reasoning"), why);
      else if (before === null) say("Today", this.plain(now), why);
      else if (before === now) say("Today, as accepted", this.plain(now), why);
      else {
        const parts = compare(before, now);
        say("Today", textOf(sideOf(parts, "-", "+", "ins")), why);
        say("Accepted", textOf(sideOf(parts, "+", "-", "del")), whyBefore);
        return make("li", {}, title, list, ...fold);
      }
      if ((now === null || (thought && thought[1])) && before !== null) say("Accepted", this.plain(before), whyBefore);
      return make("li", {}, title, list, ...fold);
    }

    folded(thought) {
      const words = thought.trim().split(/\s+/).length;
      const text = textOf([["", thought]], "p");
      text.classList.add("thought");
      return make("details", { class: "small" }, make("summary", {}, `Reasoning before the answer (${words} ${words === 1 ? "word" : "words"})`), text);
    }

    judged(item) {
      const rows = Object.entries(item.judges).map(([judge, ranks]) =>
        make("tr", {}, make("th", { scope: "row" }, this.plain(judge)),
          ...ranks.map((rank) => make("td", {}, rank === null ? "–" : String(rank)))));
      const head = make("tr", {}, make("th", { scope: "col", class: "left" }, "Judge"), ...this.models.map((name) => make("th", { scope: "col" }, this.plain(name))));
      return [make("h4", {}, "Ranks by judge"), make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Ranks by judge of question ${item.index + 1}` }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)))];
    }
  }

  const shortened = (text, limit) => {
    const characters = text.length > limit ? [...text.slice(0, limit * 2)] : null;
    return characters && characters.length > limit ? characters.slice(0, limit - 1).join("").trimEnd() + "…" : text;
  };

  // A region is a stop for the keyboard only while there is something to scroll in it.
  const watchRegions = () => {
    const regions = [...document.querySelectorAll(".scroll[tabindex]")];
    const observer = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const scrolls = target.scrollWidth > target.clientWidth;
        if (scrolls) target.setAttribute("tabindex", "0");
        else target.removeAttribute("tabindex");
        target.setAttribute("role", scrolls ? "region" : "group");
      }
    });
    for (const region of regions) observer.observe(region);
  };

  const start = async () => {
    const tables = new Map();
    for (const host of document.querySelectorAll(".question-table")) {
      try {
        tables.set(host.dataset.suite, new QuestionTable(host, await read(host.dataset.suite)));
      } catch (error) {
        host.append(make("p", {}, `The questions cannot be shown by this browser: ${error.message}`));
      }
    }
    for (const link of document.querySelectorAll("a[data-show]")) {
      link.addEventListener("click", (event) => {
        const table = tables.get(link.dataset.suite);
        if (!table) return;
        event.preventDefault();
        table.choose(link.dataset.show, Number(link.dataset.model));
        const heading = document.getElementById(`questions-${link.dataset.suite}`);
        heading.scrollIntoView();
        heading.focus({ preventScroll: true });
      });
    }
    watchRegions();
    document.documentElement.dataset.ready = "yes";
  };
  start();
})();
