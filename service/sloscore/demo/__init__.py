"""The main job on real input: simulated servers, a real Prometheus, the service, a tuner."""
