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
  write(JSON.stringify(combined()));
} else {
  process.stderr.write("usage: solc.js --version | --standard-json < input | --combined-json kinds [options] file...\n");
  process.exit(2);
}

// slither asks for bytecode too, but reads the syntax tree; without code generation this takes a second instead of many.
function combined() {
  const remappings = process.argv.slice(2).filter((word) => word.includes("="));
  const files = process.argv.slice(2).filter((word) => word.endsWith(".sol"));
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(files.map((file) => [file, { content: fs.readFileSync(file, "utf8") }])),
    settings: {
      remappings,
      evmVersion: option("--evm-version"),
      outputSelection: { "*": { "": ["ast"], "*": ["abi", "userdoc", "devdoc"] } },
    },
  };
  const read = (file) => {
    try {
      return { contents: fs.readFileSync(path.resolve(file), "utf8") };
    } catch (fault) {
      return { error: fault.message };
    }
  };
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: read }));
  const errors = (output.errors || []).filter((fault) => fault.severity === "error");
  if (errors.length) {
    process.stderr.write(errors.map((fault) => fault.formattedMessage).join("\n"));
    process.exit(1);
  }
  const units = Object.entries(output.sources).sort((a, b) => a[1].id - b[1].id);
  const contracts = {};
  for (const [file, found] of Object.entries(output.contracts || {})) {
    for (const [name, contract] of Object.entries(found)) {
      contracts[`${file}:${name}`] = {
        abi: contract.abi, userdoc: contract.userdoc, devdoc: contract.devdoc,
        bin: "", "bin-runtime": "", srcmap: "", "srcmap-runtime": "",
      };
    }
  }
  return {
    contracts,
    sourceList: units.map(([file]) => file),
    sources: Object.fromEntries(units.map(([file, unit]) => [file, { AST: unit.ast }])),
    version: solc.version(),
  };
}
