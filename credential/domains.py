"""The domain tags: one for each kind of signed message, so that no signature ever fits a second kind (SPEC 1.3)."""

CREDENTIAL = b"truestub/credential/1\0"  # issuing key, over a body
PRESENTATION = b"truestub/presentation/1\0"  # device key, over a credential and a time
COMPACT = b"truestub/compact/1\0"  # device key, over event, token, serial and a time
ANSWER = b"truestub/answer/1\0"  # device key, over a credential and a gate's challenge
POSSESSION = b"truestub/possession/1\0"  # device key, over a binding
KEY_LIST = b"truestub/key-list/1\0"  # root keys, over a key list
BUNDLE = b"truestub/bundle/1\0"  # bundle key, over a bundle

ALL = (CREDENTIAL, PRESENTATION, COMPACT, ANSWER, POSSESSION, KEY_LIST, BUNDLE)
