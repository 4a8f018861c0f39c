// Forms in dialogs that the server answers: what it refuses stands in the form, which stays open.

/** Show a refusal, "" for none. */
export function refuse(form, text) {
  const wrong = form.querySelector('[data-part="wrong"]');
  wrong.textContent = text;
  wrong.hidden = !text;
}

/** Send `body` to the form's address; the answer, or null after its refusal is shown. */
export async function post(form, token, body) {
  const headers = { "X-CSRF-Token": token, Accept: "application/json" };
  const answer = await fetch(form.action, { method: "POST", headers, body }).catch(() => null);
  if (answer?.ok) return answer;
  refuse(form, answer ? await reason(answer) : "The server cannot be reached. Nothing was changed; try again.");
  return null;
}

async function reason(answer) {
  const { what, why, remedy } = await answer.json().catch(() => ({}));
  return [what ?? "The server refused it.", why, remedy].filter(Boolean).join(" ");
}
