"""The whole pipeline on one machine: four real services, an agent's log files, a load, and a slow incident."""
