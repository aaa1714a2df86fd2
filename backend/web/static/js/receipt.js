/** A receipt behind the `#` of the address, as the box office's picture has it: into the form, out of the address. */

const field = document.getElementById("receipt");
const given = decodeURIComponent(location.hash.slice(1));

if (given !== "") {
  history.replaceState(null, "", location.pathname); // neither history nor a screenshot is to keep it
  field.value = given;
  field.form.querySelector("button").focus(); // opening it is the reader's own act
}
