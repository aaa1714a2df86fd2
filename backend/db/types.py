"""Column types that mean the same on SQLite and PostgreSQL."""

from sqlalchemy import BigInteger, Integer, LargeBinary

# SQLite only auto-increments a column declared INTEGER.
BigId = BigInteger().with_variant(Integer, "sqlite")

# Unix time in milliseconds, UTC. Columns of this type end in `_ms`.
Millis = BigInteger

# Byte strings of a fixed length; the length is documentation and is checked where the bytes are made.
Address = LargeBinary(20)
Hash32 = LargeBinary(32)
PublicKey = LargeBinary(32)
