"""What runs when: one file in conf, rendered for Airflow, cron and Kubernetes, or run here."""
