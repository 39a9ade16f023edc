"""Alert rules on the gauges that the service exports: ``rules/sloscore-alerts.yml`` is made here."""
