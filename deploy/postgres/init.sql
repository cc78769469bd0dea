-- Run once, by the superuser that the PostgreSQL image makes, when its volume is new. Each service has its own database.
CREATE DATABASE redress_intake;
CREATE DATABASE redress_routing;
CREATE DATABASE redress_sla;
CREATE DATABASE redress_reporting;
