# Build: docker build -t sloscore .    Run: see docker-compose.yml, or
#   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -v sloscore:/var/lib/sloscore -e SLOSCORE_TOKEN -p 127.0.0.1:8520:8520 sloscore

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
RUN ["python", "-m", "venv", "/opt/sloscore"]
COPY requirements.lock ./
# Exact versions, each file by its hash; only wheels, so that nothing of others is built or run here.
RUN ["/opt/sloscore/bin/pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "-r", "requirements.lock"]
COPY pyproject.toml README.md LICENSE ./
COPY service ./service
# The package links to them.
COPY docs/runbooks ./docs/runbooks
RUN ["/opt/sloscore/bin/pip", "wheel", "--no-cache-dir", "--disable-pip-version-check", "--no-deps", "--wheel-dir", "/wheels", "."]
RUN ["/opt/sloscore/bin/pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--no-deps", "--no-index", "--find-links", "/wheels", "sloscore"]
# Nothing that could install more goes on to the image.
RUN ["/opt/sloscore/bin/python", "-m", "pip", "uninstall", "--yes", "--quiet", "pip"]

FROM python:3.12-slim-bookworm
RUN ["python", "-m", "pip", "uninstall", "--yes", "--quiet", "--root-user-action", "ignore", "pip"]
# Only this directory is written to: the store, and HOME for what libraries may cache.
RUN ["install", "-d", "-o", "10001", "-g", "10001", "-m", "0750", "/var/lib/sloscore"]
COPY --from=build /opt/sloscore /opt/sloscore
COPY deploy/sloscore.yaml /etc/sloscore/sloscore.yaml
ENV HOME=/var/lib/sloscore \
    PATH=/opt/sloscore/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/sloscore
VOLUME /var/lib/sloscore
USER 10001:10001
EXPOSE 8520
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8520, timeout=3); c.request('GET', '/-/healthy'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["sloscore"]
CMD ["serve", "--config", "/etc/sloscore/sloscore.yaml"]
