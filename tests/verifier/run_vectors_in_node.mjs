// node run_vectors_in_node.mjs VECTORS.json: prints {"compared": n, "differences": [...]}.

import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import * as body from "../../credential/web/body.js";
import * as bundle from "../../credential/web/bundle.js";
import * as codes from "../../credential/web/codes.js";
import * as digits from "../../credential/web/digits.js";
import * as keylist from "../../credential/web/keylist.js";
import * as wire from "../../credential/web/wire.js";
import * as check from "../../verifier/web/check.js";
import { runVectors } from "./run_vectors.mjs";

globalThis.crypto ??= webcrypto; // node 18
const vectors = JSON.parse(readFileSync(process.argv[2], "utf8"));
const rooms = { body, bundle, codes, digits, keylist, wire, check };
process.stdout.write(JSON.stringify(await runVectors(vectors, rooms)));
