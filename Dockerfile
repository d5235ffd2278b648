# The gateway as an image: docs/how-to/container.md says how to build and run it.
#
# BASE is any Debian-like image with Python 3.11 or newer and its venv, a time zone database and CA certificates.
# NODE is an image with Node 20; a page that `make page` has built is taken as it is, then Node is not asked for.
# Whoever reaches the indexes by a mirror gives pip.conf and .npmrc as the secrets pip and npm: no layer keeps them.
ARG BASE=python:3.11-slim-bookworm
ARG NODE=node:20-bookworm-slim

FROM ${NODE} AS page
WORKDIR /page
COPY gateway/web ./
RUN --mount=type=secret,id=npm \
    if [ -z "$(find ui -type f -newer static/index.html 2>&1 | head -n 1)" ]; then exit; fi \
 && cd ui && export npm_config_userconfig=/run/secrets/npm && npm ci --silent && npm run --silent build && touch ../static/index.html

FROM ${BASE} AS build
WORKDIR /src
COPY edge_deploy/locks edge_deploy/locks
# The second environment holds what installs and builds: none of it is in the first, which is the image's.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python3 -m venv --without-pip /opt/wanglian \
 && python3 -m venv /tools \
 && /tools/bin/pip --python /opt/wanglian/bin/python3 install --no-cache-dir --require-hashes --only-binary :all: \
    -r edge_deploy/locks/runtime.txt \
 && awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' \
    edge_deploy/locks/dev.txt > /tools/build.txt \
 && /tools/bin/pip install --no-cache-dir --no-compile --require-hashes -r /tools/build.txt
COPY pyproject.toml README.md LICENSE NOTICE wanglian.py ./
COPY edge_deploy/hook.py edge_deploy/page.py edge_deploy/
COPY config config
COPY connectors connectors
COPY gateway gateway
COPY --from=page /page/static gateway/web/static
RUN /tools/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir /wheel . \
 && /tools/bin/pip --python /opt/wanglian/bin/python3 install --no-cache-dir --no-index --no-deps /wheel/*.whl \
 && find /opt/wanglian -type d -name tests -path '*/numpy/*' -prune -exec rm -r {} + \
 && find /opt/wanglian -name '*.pyi' -delete \
 && find /opt/wanglian/bin -type f ! -name wanglian -delete \
 && rm -rf /opt/wanglian/bin/__pycache__ \
 && mkdir /data \
 && /opt/wanglian/bin/python3 -c "from zoneinfo import ZoneInfo; ZoneInfo('Asia/Shanghai')" \
 && /opt/wanglian/bin/wanglian --help > /dev/null

FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="wanglian" \
      org.opencontainers.image.description="Industrial-internet edge gateway: reads, keeps, forwards. 工业互联网边缘网关。" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/wanglian /opt/wanglian
COPY --from=build --chown=10001:10001 /data /var/lib/wanglian
ENV PATH=/opt/wanglian/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/var/lib/wanglian \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# A number: it needs no entry in the base's list of users, and an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /var/lib/wanglian
VOLUME /var/lib/wanglian
STOPSIGNAL SIGTERM
# The start repairs and reads what is on disk; a large store takes a while.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python3", "-I", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=4)"]
ENTRYPOINT ["wanglian"]
CMD ["run", "/etc/wanglian/plant.yaml"]
