/** What can be wrong with this browser, this device or this connection, and what to do about it. */

import { _ } from "/static/js/messages.js";

/** The sentence for a problem's code; codes of SPEC 1.4 and 5 mean that what was downloaded is not to be trusted. */
export function troubleSentence(code) {
  return SENTENCES[code]?.() ?? _("The server's data can't be trusted ({code}). The data in force stays. Tell the operator.", { code });
}

const SENTENCES = {
  // the camera
  camera_refused: () =>
    _("The camera is not allowed. Tap the lock beside the address, allow the camera, and try again. A USB scanner works without it."),
  camera_absent: () => _("This device has no camera. Plug in a USB scanner, and scan: nothing else is needed."),
  camera_busy: () => _("Another program has the camera. Close it and try again."),
  camera_lost: () => _("The camera stopped. Try again; if it was unplugged, plug it in first."),
  decoder_failed: () => _("The code reader did not start. Reload this page while the server can be reached."),
  insecure: () =>
    _("This page was opened by plain http: browsers then give no camera and keep no page for offline use. Open it by https. A USB scanner works meanwhile."),
  // storage
  storage_refused: () =>
    _("This browser stores nothing, so no admission could be recorded. Leave private mode, or use another browser."),
  storage_lost: () =>
    _("The browser has cleared this gate's memory. Stop admitting here, tell a supervisor which tickets you let in, and set the gate up anew."),
  worker_refused: () => _("This page can't be kept for offline use here. It works while the server can be reached."),
  // the server
  unreachable: () => _("The server can't be reached. This gate goes on with what it knows."),
  token_refused: () => _("The server no longer accepts this gate's pass. Ask for a new set-up code. Scanning goes on."),
  server_error: () => _("The server has trouble of its own. This gate goes on with what it knows."),
  log_forked: () =>
    _("The server has other admissions under this gate's numbers: this device was set back or copied. Tell the operator, and set it up anew."),
  none_yet: () => _("This gate has no data yet. Connect it and sync."),
  no_key_list: () => _("This gate has no list of trusted keys yet. Connect it and sync."),
  expired: () => _("The server's list of trusted keys has expired. Tell the operator."),
  needs_newer_key_list: () => _("The data needs a newer list of trusted keys. Sync again."),
  // setting up
  setup_unreadable: () => _("This is no set-up code. Copy the whole text that enrolment printed, from { to }."),
  setup_other_server: () => _("This set-up code is for another server. Open the gate page of that server."),
  setup_waiting: () => _("Admissions on this device were not handed over yet. Sync first, then set up the new gate."),
};
