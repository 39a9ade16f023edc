#!/bin/sh
# Makes requirements.lock anew: exact versions and hashes of what the image installs.
set -eu
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${1:-python3}" -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check pip-tools
CUSTOM_COMPILE_COMMAND="make lock" "$tools/bin/pip-compile" --quiet --upgrade --generate-hashes \
  --strip-extras --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
  --extra postgres --output-file requirements.lock pyproject.toml
