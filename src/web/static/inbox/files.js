// Files that wait in the message field or in an unsent message, kept in this browser (IndexedDB) so that they outlive a
// reload. Each person has a store of their own, which signing out deletes; what nothing refers to any more is swept.
(() => {
  const { workspace } = atende;
  const user = workspace?.dataset.user;
  if (!user) return;
  const NAME = (whose) => `atende files ${whose}`;
  const MOST_BYTES = 256 * 1024 * 1024, KEPT_DAYS = 7, SWEEP_AFTER_SECONDS = 60;
  const held = new Map(); // id → File: of this page, also where the browser keeps nothing (full, or a private window)
  const kept = new Set(); // ids that outlive the page

  const done = (request) => new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("blocked", () => reject(new Error("another page is in the way")));
  });
  let opening = null;
  function opened() {
    opening ??= (() => {
      const request = indexedDB.open(NAME(user), 1);
      request.addEventListener("upgradeneeded", () => request.result.createObjectStore("files", { keyPath: "id" }));
      return done(request).then((db) => {
        db.addEventListener("versionchange", () => { db.close(); opening = null; }); // signing out in another tab
        return db;
      });
    })();
    opening.catch(() => { opening = null; });
    return opening;
  }
  const store = async (mode) => (await opened()).transaction("files", mode).objectStore("files");

  /** Keep a file under an id. Not kept, and no error: there is no room for it, so only this page has it. */
  async function keep(id, file) {
    held.set(id, file);
    try {
      const sizes = (await done((await store("readonly")).getAll())).map((one) => one.file.size);
      if (sizes.reduce((sum, size) => sum + size, file.size) > MOST_BYTES) return;
      await done((await store("readwrite")).put({ id, file, at: Date.now() }));
      if (held.has(id)) kept.add(id);
      else await drop(id); // taken away meanwhile
    } catch { /* the browser keeps nothing: this page still has it */ }
  }
  async function get(id) {
    if (held.has(id)) return held.get(id);
    try {
      const found = await done((await store("readonly")).get(id));
      if (!found) return null;
      held.set(id, found.file);
      kept.add(id);
      return found.file;
    } catch { return null; }
  }
  async function drop(id) {
    held.delete(id);
    kept.delete(id);
    try { await done((await store("readwrite")).delete(id)); } catch { /* swept later */ }
  }
  /** Forget what is old, or what nobody refers to; another page may just be about to refer to what is young. */
  async function sweep(wanted) {
    try {
      for (const { id, at } of await done((await store("readonly")).getAll())) {
        const age = Date.now() - at;
        if (age > KEPT_DAYS * 864e5 || (!wanted.has(id) && age > SWEEP_AFTER_SECONDS * 1000)) await drop(id);
      }
    } catch { /* nothing is kept */ }
  }
  function forgetAll() {
    held.clear();
    kept.clear();
    indexedDB.deleteDatabase(NAME(user)); // by name: no page that is open keeps it (versionchange)
  }
  Object.assign(atende, { files: { keep, get, drop, sweep, forgetAll, has: (id) => held.has(id), isKept: (id) => kept.has(id) } });
})();
