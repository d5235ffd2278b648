# Small for now: one stage builds the wheel, the other runs it as a user without rights.
# The page is built before: `make page`, or the build stops and says so.
# BASE is any Debian-like image with Python 3.11 or newer.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE wanglian.py ./
COPY gateway gateway
COPY connectors connectors
COPY config config
COPY edge_deploy edge_deploy
RUN python3 -m venv /opt/wanglian \
 && /opt/wanglian/bin/pip install --no-cache-dir --require-hashes -r edge_deploy/locks/runtime.txt \
 && /opt/wanglian/bin/pip install --no-cache-dir --no-deps .

FROM ${BASE}
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/wanglian wanglian
COPY --from=build /opt/wanglian /opt/wanglian
USER wanglian
VOLUME /var/lib/wanglian
WORKDIR /var/lib/wanglian
HEALTHCHECK --interval=30s --timeout=5s CMD ["/opt/wanglian/bin/python3", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9464/healthz', timeout=3)"]
ENTRYPOINT ["/opt/wanglian/bin/wanglian"]
CMD ["run", "/etc/wanglian/plant.yaml"]
