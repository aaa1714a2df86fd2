/** What a device signs when it is bound to a ticket (SPEC 4.2). */

import { DOMAINS, EVENT_TAG_BYTES, PLATFORM_ID_BYTES, PUBLIC_KEY_BYTES } from "./signing.js";
import { concat, exact, uint } from "./wire.js";

/**
 * `domain ‖ message` for the device key to sign. `binding` has eventTag (8 bytes), tokenId, epoch, number, deviceKey
 * (32 bytes) and expiry (Unix seconds); RangeError if a field does not fit.
 */
export function possessionMessage(platformId, binding) {
  return concat(
    DOMAINS.possession,
    exact(platformId, PLATFORM_ID_BYTES, "platform id"),
    exact(binding.eventTag, EVENT_TAG_BYTES, "event tag"),
    uint(binding.tokenId, 8, "token id"),
    uint(binding.epoch, 8, "epoch"),
    uint(binding.number, 4, "number"),
    exact(binding.deviceKey, PUBLIC_KEY_BYTES, "device key"),
    uint(binding.expiry, 8, "expiry"),
  );
}
