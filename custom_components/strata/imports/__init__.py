"""History from elsewhere: Home Assistant's recorder, and InfluxDB as its integration writes it."""
