// The form where there is script: says at once what is missing, keeps a draft, takes files, and sends until it has
// arrived, always under one Idempotency-Key. Without script the form posts itself.
"use strict";
(() => {
  const form = document.getElementById("complaint");
  if (!form || !window.fetch || !window.crypto || !crypto.subtle) return;
  const $ = (id) => document.getElementById(id);
  const { key, host, api, done, lang } = form.dataset;
  const fields = form.elements;
  const main = $("content");
  const draftName = `redress-draft-${key}`;
  const pendingName = `redress-pending-${key}`;
  const KEPT = ["narrative", "desired_outcome", "occurred_on", "amount", "currency"]; // of nobody's person
  const WEEK = 7 * 24 * 3600 * 1000;
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  document.documentElement.classList.add("scripted");
  form.noValidate = true;

  // Storage may be refused to a frame: then nothing is kept, and everything else works.
  const keep = (store, name, value) => {
    try {
      if (value === null) window[store].removeItem(name);
      else window[store].setItem(name, JSON.stringify(value));
    } catch {}
  };
  const kept = (store, name) => {
    try {
      return JSON.parse(window[store].getItem(name));
    } catch {
      return null;
    }
  };

  // --- the page around ---

  const tell = (message) => host && window.parent !== window && window.parent.postMessage(message, host);
  new ResizeObserver(() => tell({ type: "redress:height", height: document.body.scrollHeight })).observe(document.body);

  let person = null;
  let identity = null;
  addEventListener("message", async (event) => {
    if (!host || event.origin !== host || event.source !== window.parent) return;
    if (!event.data || event.data.type !== "redress:identity") return;
    identity = String(event.data.token);
    try {
      await open();
    } catch {} // no connection: it is tried again when the form is sent
  });

  // --- session and proof of work ---

  let session = null;
  let opening = null;
  const open = () => {
    const mine = fetch(`${api}/sessions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key, identity }),
    }).then(async (answer) => {
      const found = await answer.json();
      if (mine !== opening) return opening; // somebody was signed in meanwhile: an older answer must not undo it
      if (answer.status === 403 && found.code === "identity_refused") {
        identity = null;
        tell({ type: "redress:identity-refused" });
        $("unconfirmed").hidden = false;
        return open();
      }
      if (!answer.ok) throw new Error(found.code);
      session = { ...found, since: Date.now() };
      person = found.signed_in_as;
      showPerson();
      return session;
    });
    opening = mine;
    return mine;
  };

  const zeros = (bytes, bits) => {
    let left = bits;
    for (const byte of bytes) {
      if (left >= 8) {
        if (byte) return false;
        left -= 8;
      } else return byte >> (8 - left) === 0;
    }
    return true;
  };
  let proof = {};
  const solve = async ({ seed, bits }, submission) => {
    if (proof.seed === seed && proof.submission === submission) return proof.nonce;
    const text = new TextEncoder();
    for (let from = 0; ; from += 512) {
      const all = await Promise.all(
        Array.from({ length: 512 }, (_, n) => crypto.subtle.digest("SHA-256", text.encode(`${seed}:${submission}:${from + n}`))),
      );
      const found = all.findIndex((digest) => zeros(new Uint8Array(digest), bits));
      if (found < 0) continue;
      proof = { seed, submission, nonce: String(from + found) };
      return proof.nonce;
    }
  };

  // --- who ---

  const showPerson = () => {
    const unnamed = fields.anonymous.checked;
    $("signed-in").hidden = !person;
    $("who").hidden = Boolean(person);
    $("person").hidden = unnamed;
    $("unnamed-note").hidden = !unnamed;
    if (person) $("signed-in-name").textContent = person;
  };
  fields.anonymous.addEventListener("change", showPerson);

  // --- what is wrong ---

  const value = (name) => fields[name].value.trim();
  const amount = () => value("amount").replace(/[,\s]/g, "");
  const isWrong = {
    narrative: () => !value("narrative"),
    occurred_on: () => value("occurred_on") > fields.occurred_on.max || fields.occurred_on.validity.badInput,
    amount: () => amount() !== "" && !/^\d{1,14}(\.\d{1,4})?$/.test(amount()),
    name: () => !value("name"),
    email: () => (value("email") ? !/^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$/.test(value("email")) : !value("phone")),
    phone: () => value("phone") !== "" && !/^\+?[0-9 ()./-]{3,40}$/.test(value("phone")),
  };
  const OWN = ["name", "email", "phone"];
  const check = (name) => {
    const wrong = !(OWN.includes(name) && (person || fields.anonymous.checked)) && isWrong[name]();
    say(name, wrong);
    return wrong;
  };
  const say = (name, wrong) => {
    const place = $(`${name}-wrong`);
    place.textContent = wrong ? place.dataset.reason : "";
    place.hidden = !wrong;
    if (wrong) fields[name].setAttribute("aria-invalid", "true");
    else fields[name].removeAttribute("aria-invalid");
  };
  // A reason that appears while a button is being pressed would push it from under the finger: it waits.
  let pressed = null;
  addEventListener("pointerdown", () => {
    pressed = new Promise((resolve) => {
      for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(resolve), { once: true });
    });
  });
  for (const name of Object.keys(isWrong)) {
    fields[name].addEventListener("blur", async () => {
      await pressed;
      if (fields[name].value || fields[name].hasAttribute("aria-invalid")) check(name);
    });
  }
  const summarise = (names) => {
    const list = $("wrong-list");
    list.replaceChildren(
      ...names.map((name) => {
        const item = document.createElement("li");
        const link = document.createElement("a");
        link.href = `#${name}`;
        link.textContent = $(`${name}-wrong`).textContent;
        link.addEventListener("click", (event) => {
          event.preventDefault();
          $(name).focus();
        });
        item.append(link);
        return item;
      }),
    );
    $("summary").hidden = names.length === 0;
    if (names.length) $("summary").focus();
  };

  // --- draft ---

  const count = () => {
    const left = fields.narrative.maxLength - fields.narrative.value.length;
    $("left").textContent = left < 2000 ? $("left").dataset.text.replace("{n}", left.toLocaleString(lang)) : "";
  };
  form.addEventListener("input", () => {
    const draft = Object.fromEntries(KEPT.map((name) => [name, fields[name].value]));
    keep("localStorage", draftName, draft.narrative || draft.desired_outcome ? { ...draft, at: Date.now() } : null);
    count();
  });
  const draft = kept("localStorage", draftName);
  if (draft && Date.now() - draft.at < WEEK && !fields.narrative.value) {
    for (const name of KEPT) if (draft[name]) fields[name].value = draft[name];
    $("draft").hidden = false;
  }
  $("drop").addEventListener("click", () => {
    keep("localStorage", draftName, null);
    for (const name of KEPT) if (name !== "currency") fields[name].value = "";
    $("draft").hidden = true;
    fields.narrative.focus();
  });
  count();

  // --- files ---

  const files = new Map();
  const most = Number(fields.files.dataset.most);
  const put = (file, row) =>
    new Promise((resolve) => {
      const bar = row.querySelector("progress");
      const state = row.querySelector(".state");
      const end = (text, ticket) => {
        bar.hidden = true;
        state.textContent = text;
        resolve(ticket);
      };
      const { tooLarge, refused, failed, ready } = fields.files.dataset;
      if (file.size > most) return end(tooLarge, null);
      const send = async (attempt) => {
        try {
          await (session || open());
        } catch {
          return attempt < 5 ? pause(2000 * attempt).then(() => send(attempt + 1)) : end(failed, null);
        }
        const request = new XMLHttpRequest();
        request.open("POST", `${api}/uploads`);
        request.setRequestHeader("X-Form-Session", session.session);
        request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
        request.setRequestHeader("Content-Type", file.type || "application/octet-stream");
        request.upload.onprogress = (event) => {
          bar.value = event.loaded / event.total;
        };
        request.onload = () => {
          if (request.status === 201) return end(ready, JSON.parse(request.responseText).ticket);
          if (request.status === 413) return end(tooLarge, null);
          if (request.status === 422) return end(refused, null);
          if (request.status === 403 && attempt < 5) session = null;
          return attempt < 5 ? pause(2000 * attempt).then(() => send(attempt + 1)) : end(failed, null);
        };
        request.onerror = () => (attempt < 5 ? pause(2000 * attempt).then(() => send(attempt + 1)) : end(failed, null));
        request.send(file);
      };
      send(1);
    });
  fields.files.addEventListener("change", () => {
    for (const file of fields.files.files) {
      if (files.size >= 10) break;
      const row = $("file-row").content.firstElementChild.cloneNode(true);
      row.querySelector(".name").textContent = file.name;
      row.querySelector("progress").setAttribute("aria-label", file.name);
      const remove = row.querySelector("button");
      remove.setAttribute("aria-label", `${remove.textContent}: ${file.name}`);
      remove.addEventListener("click", () => {
        files.delete(row);
        row.remove();
        fields.files.focus();
      });
      $("file-list").append(row);
      files.set(row, put(file, row));
    }
    fields.files.value = "";
  });

  // --- sending ---

  const show = (state) => {
    form.dataset.state = state;
    $("fields").disabled = state !== "writing";
    $("state").hidden = state === "writing";
    $("state-text").textContent = state === "writing" ? "" : $("state").dataset[state];
    $("working").hidden = state !== "sending";
    if (state !== "writing") $("state").focus();
  };
  const body = (tickets) => {
    const own = person ? {} : fields.anonymous.checked ? { anonymous: true } : Object.fromEntries(
      [...OWN, "customer_no"].filter(value).map((name) => [name, value(name)]),
    );
    const day = value("occurred_on");
    return {
      narrative: value("narrative"),
      ...(value("desired_outcome") && { desired_outcome: value("desired_outcome") }),
      ...(day && { occurred_at: new Date(`${day}T00:00:00`).toISOString() }),
      ...(amount() && { amount: { value: amount(), currency: fields.currency.value } }),
      ...own,
      language: lang,
      attachments: tickets,
      website: fields.website.value,
    };
  };
  const waitForLine = (ms) =>
    Promise.race([pause(ms), new Promise((resolve) => addEventListener("online", resolve, { once: true }))]);

  /** Sends until there is an answer that settles it. */
  const deliver = async (pending) => {
    for (let attempt = 0; ; attempt += 1) {
      let answer;
      let found;
      try {
        show("sending");
        const here = session || (await open());
        const nonce = await solve(here, pending.submission);
        await pause(here.since + 3200 - Date.now()); // programs are told by their haste
        answer = await fetch(`${api}/complaints`, {
          method: "POST",
          headers: {
            "Content-Type": "application/json",
            "Idempotency-Key": pending.submission,
            "X-Form-Session": here.session,
            "X-Form-Proof": nonce,
          },
          body: JSON.stringify(pending.body),
        });
        found = await answer.json();
      } catch {
        show("offline");
        await waitForLine(Math.min(30000, 1000 * 2 ** attempt));
        continue;
      }
      if (answer.status === 201) return found;
      if (found.code === "form_session_ended") session = null;
      else if (found.code === "looks_automatic" && !pending.body.website) await pause(3000);
      else if (answer.status === 429 || answer.status >= 500) {
        show("waiting");
        await pause(1000 * Math.min(60, Number(answer.headers.get("Retry-After")) || 2 ** Math.min(attempt, 5)));
      } else throw found;
    }
  };
  const finish = async ({ reference, tracking }) => {
    keep("sessionStorage", pendingName, null);
    keep("localStorage", draftName, null);
    tell({ type: "redress:submitted", reference });
    const ask = () =>
      fetch(done, { method: "POST", body: new URLSearchParams({ reference, token: tracking.token }) });
    for (let attempt = 0; attempt < 10; attempt += 1) {
      try {
        const answer = await ask();
        if (answer.ok) {
          const words = document.createElement("div");
          words.innerHTML = await answer.text();
          const next = words.querySelector("#next");
          if ($("done")) $("next").innerHTML = next.innerHTML; // who reads it keeps the place
          else {
            main.replaceChildren(...words.childNodes);
            $("done").focus();
          }
          if (next.dataset.settled === "true") {
            $("next").dataset.settled = "true";
            return;
          }
        }
      } catch {} // it has arrived; only the last words wait for the line
      await waitForLine(1500);
    }
    if (!$("done")) $("state-text").textContent = `${$("state").dataset.arrived} ${reference}`;
  };
  const run = async (pending) => {
    try {
      await finish(await deliver(pending));
    } catch (problem) {
      keep("sessionStorage", pendingName, null);
      show("writing");
      const names = (problem.errors || [])
        .map((one) => one.pointer.split("/")[1].replace("occurred_at", "occurred_on"))
        .filter((name) => name in isWrong);
      for (const name of names) say(name, true);
      $("refused").hidden = names.length > 0;
      $("summary").hidden = false;
      if (names.length) summarise(names);
      else $("summary").focus();
    }
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (form.dataset.state && form.dataset.state !== "writing") return;
    $("refused").hidden = true;
    const names = Object.keys(isWrong).filter(check);
    summarise(names);
    if (names.length) return;
    show("sending");
    const tickets = (await Promise.all(files.values())).filter(Boolean);
    const pending = { submission: fields.submission.value, body: body(tickets) };
    keep("sessionStorage", pendingName, pending);
    run(pending);
  });

  open().catch(() => {});
  showPerson();
  tell({ type: "redress:ready", title: document.title });
  // closed or reloaded while it was being sent: it goes on, under the same key
  const pending = kept("sessionStorage", pendingName);
  if (pending) run(pending);
})();
