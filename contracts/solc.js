#!/usr/bin/env node
// Gives npm's solc the face of the native compiler, as far as py-solc-x and slither need it:
// --version, --standard-json, --combined-json. Output is written synchronously: what `console.log` leaves in a pipe is
// cut off at 64 KiB when the process ends.
"use strict";
const fs = require("fs");
const path = require("path");

const listeners = process.listeners("uncaughtException");
const solc = require("solc");
process.removeAllListeners("uncaughtException"); // the compiler's runtime installs one that hides errors
listeners.forEach((listener) => process.on("uncaughtException", listener));

function write(text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(1, bytes, at);
    } catch (fault) {
      if (fault.code !== "EAGAIN") throw fault;
    }
  }
}

function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

const has = (name) => process.argv.includes(name);

if (has("--version")) {
  write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (has("--standard-json")) {
  write(solc.compile(fs.readFileSync(0, "utf8")));
} else if (has("--combined-json")) {
  combined();
} else {
  process.stderr.write("usage: solc.js --version | --standard-json < input | --combined-json kinds [options] file...\n");
  process.exit(2);
}
