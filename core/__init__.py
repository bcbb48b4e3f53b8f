"""What every process of the service stands on: settings, logs, metrics, traces, errors, network and storage."""
