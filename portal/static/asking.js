// Orders to the server. A refusal is {what, why, remedy, final}: thrown, or shown in the form, which stays open.

const OTHERWISE = { what: "The server refused it.", remedy: "Look whether it was done before you try again." };
const sending = new WeakSet();

/** A refusal in one line. */
export const words = ({ what, why, remedy }) => [what, why, remedy].filter(Boolean).join(" ");

/** POST; the answer. `otherwise`: {what, remedy} where the server does not say; `final`: asking again will not help. */
async function order(address, token, otherwise, body) {
  const headers = { "X-CSRF-Token": token, Accept: "application/json" };
  const answer = await fetch(address, { method: "POST", headers, body }).catch(() => null);
  if (!answer) throw { what: "The server cannot be reached.", why: "", remedy: otherwise.remedy };
  if (answer.ok) return answer;
  const { what = otherwise.what, why = "", remedy = "" } = await answer.json().catch(() => ({}));
  throw { what, why, remedy, final: answer.status >= 400 && answer.status < 500 && answer.status !== 409 };
}

/** The right to see something, or the answer to an order in JSON. */
export async function permission(address, token, otherwise, body) {
  const answer = await order(address, token, otherwise, body);
  return answer.json().catch(() => ({}));
}

/** Show a refusal, "" for none. */
export function refuse(form, text) {
  const wrong = form.querySelector('[data-part="wrong"]');
  wrong.textContent = text;
  wrong.hidden = !text;
}

/** Send `body` to the form's address, once at a time; the answer, or null after its refusal is shown. */
export async function post(form, token, body) {
  if (sending.has(form)) return null;
  sending.add(form);
  refuse(form, "");
  try {
    return await order(form.action, token, OTHERWISE, body);
  } catch (problem) {
    refuse(form, words(problem));
    return null;
  } finally {
    sending.delete(form);
  }
}
