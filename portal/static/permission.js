// The right to see something, asked of the server; its refusals are thrown as {what, why, remedy, final}.

/** `final`: asking again will not help. */
export async function permission(address, token, otherwise) {
  let answer;
  try {
    answer = await fetch(address, { method: "POST", headers: { "X-CSRF-Token": token, Accept: "application/json" } });
  } catch {
    throw { what: "The server cannot be reached.", why: "", remedy: otherwise.remedy };
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const final = answer.status >= 400 && answer.status < 500 && answer.status !== 409;
  throw { what: body.what ?? otherwise.what, why: body.why ?? "", remedy: body.remedy ?? "", final };
}
