"""The real components on one machine: PostgreSQL, Apache Kafka, Chromium.

`install` finds or fetches them, `postgres` and `kafka` run them. Used by `make up-cluster`, by the tests and by CI; a
bank's own operations run PostgreSQL and Kafka their own way and need nothing from here. Standard library only, save
`Kafka.create_topics`, so that it works before the packages are installed.
"""
