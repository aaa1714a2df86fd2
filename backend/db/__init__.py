"""The database: tables, engine, its clock, migrations. SQLite and PostgreSQL behave alike from here on."""
