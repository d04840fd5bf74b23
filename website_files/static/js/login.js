/** Entry point of the login page: logs a person in, or makes the first account, and goes to where they wanted to be. */

import { backoff } from "./core/backoff.js";
import { t } from "./core/words.js";
import { fetchLoginWays, fetchMe, logIn, makeFirstAccount } from "./transport/account-api.js";
import { forgetWayBack, keepWayBack, readLoginAddress, wayBack } from "./transport/login-page.js";
import { setText } from "./views/shared/dom.js";
import { Field, Form, LoginField, PasswordField } from "./views/shared/labelled-form.js";
import { loadLanguage } from "./views/shared/language.js";
import { showPageErrors } from "./views/shared/page-errors.js";
import { followTheme } from "./views/shared/theme.js";

await loadLanguage();
followTheme();

const NAME_CHARS = 100;
const ERRORS = { // of a login with OpenID Connect; the server's log and its audit log have the details
  oidc_state: t`This login was not begun in this browser, or too long ago. Log in again.`,
  oidc_refused: t`The login provider did not let you in.`,
  oidc_unreachable: t`The login provider cannot be used now. Try again; if it stays like this, tell whoever runs the server.`,
  oidc_untrusted: t`The login provider’s answer is not accepted. Tell whoever runs the server.`,
};
const FIRST = t`The first account is an admin’s: it can see who is connected, and stop what runs.`;
const NO_LINK = t`There is no account yet. Open the link that the server printed when it started.`;
const USED_LINK = t`This link has been used already. Log in with the account that was made.`;
const NO_WAY = t`Nobody can log in here: this server is reached through another one, which knows who you are.`;

const find = (selector) => document.querySelector(selector);

showPageErrors(find(".page-errors"));

const asked = readLoginAddress();
if (asked.first || asked.error) history.replaceState(null, "", location.pathname + location.search);
find(".login-openid").addEventListener("click", () => keepWayBack(asked));
begin();

async function begin(tries = 0) {
  try {
    const ways = await fetchLoginWays();
    if (ways.needed && (asked.error || !(await isLoggedIn()))) show(ways);
    else leave();
  } catch (error) {
    setText(find(".login-note"), error.message);
    setTimeout(() => begin(tries + 1), backoff(tries));
  }
}

/** @throws {Error} if the server doesn't say */
async function isLoggedIn() {
  try {
    await fetchMe();
    return true;
  } catch (error) {
    if (error.code === "login_needed") return false;
    throw error;
  }
}

/** Goes to the page. The login page leaves no trace in the tab's history. */
function leave() {
  forgetWayBack();
  location.replace(wayBack(asked));
  return new Promise(() => {}); // until the page is gone
}

function show({ password, openid, first }) {
  if (asked.error) explain(ERRORS[asked.error] ?? t`Logging in did not work (${asked.error}).`);
  const form = first && asked.first ? firstAccountForm() : password ? passwordForm() : null;
  find(".login-form").replaceChildren(...(form ? [form.element] : []));
  find(".login-openid").hidden = !openid;
  find(".login-or").hidden = !openid || !form;
  setText(find(".login-note"), note(first, Boolean(form || openid)));
  form?.focus();
}

function note(isFirst, hasWay) {
  if (isFirst) return asked.first ? FIRST : NO_LINK;
  if (asked.first) return USED_LINK;
  return hasWay ? "" : NO_WAY;
}

function explain(problem) {
  setText(find(".login-error"), problem);
  find(".login-error").hidden = !problem;
}

function passwordForm() {
  const login = new LoginField();
  const password = new PasswordField({ label: t`Password`, autocomplete: "current-password" });
  const done = async () => {
    explain("");
    await logIn(login.value.trim(), password.value);
    return leave();
  };
  return new Form({ fields: [login, password], save: t`Log in`, done });
}

function firstAccountForm() {
  setText(find(".login-title"), t`Make the first account`);
  const name = new Field({ label: t`Your name`, autocomplete: "name", maxlength: NAME_CHARS, required: true });
  const login = new LoginField();
  const password = new PasswordField({ label: t`Password`, autocomplete: "new-password" });
  const again = new PasswordField({ label: t`Password again`, autocomplete: "new-password" });
  const done = async () => {
    if (password.value !== again.value) throw new Error(t`The two passwords are not the same.`);
    const about = { name: name.value.trim(), login: login.value.trim(), password: password.value };
    await makeFirstAccount(asked.first, about);
    return leave();
  };
  return new Form({ fields: [name, login, password, again], save: t`Make the account`, done });
}
