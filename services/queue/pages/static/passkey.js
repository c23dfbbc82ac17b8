// Lets the browser make a passkey, or confirm something with one, and sends what comes of it.
const form = document.querySelector("[data-passkey]");
const said = document.querySelector("[data-passkey-said]");
const button = form.querySelector("button");
const options = JSON.parse(form.dataset.options);

function say(text) {
  said.replaceChildren(Object.assign(document.createElement("p"), { textContent: text }));
  said.hidden = false;
}

const able =
  window.PublicKeyCredential?.parseCreationOptionsFromJSON &&
  PublicKeyCredential.parseRequestOptionsFromJSON;
if (able) {
  said.hidden = true;
  button.hidden = false;
} else {
  say("This browser knows no passkeys here. Use a newer one, over https.");
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  said.hidden = true;
  try {
    const credential =
      form.dataset.passkey === "new"
        ? await navigator.credentials.create({
            publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
          })
        : await navigator.credentials.get({
            publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
          });
    form.elements.credential.value = JSON.stringify(credential);
    form.submit();
  } catch (error) {
    const why = error.name === "InvalidStateError" ? "That passkey is here already." : "It was not confirmed.";
    say(`${why} Nothing was sent. Try again.`);
    button.disabled = false;
    button.focus();
  }
});
