# The sidecar without a distribution around it: Python, its packages, and the libraries that these need. There is no
# shell, no package manager and no pip; the file system may be read-only, and nobody is root.
#
#   docker build -t REGISTRY/llm-failover-sidecar:0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .
#
# Packages are pinned by version and hash (requirements-image.lock), the base by version. Its digest depends on the
# registry that you take it from: look it up there, and say PYTHON=python:3.13-bookworm@sha256:... to pin it.
ARG PYTHON=python:3.13-bookworm
# hadolint ignore=DL3006
FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements.lock requirements-image.lock ./
RUN pip install --require-hashes -r requirements.lock \
    && pip install --no-compile --target /site --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md ./
COPY sidecar sidecar
RUN pip install --no-compile --target /site --no-deps --no-build-isolation .
COPY deploy/image/assemble.py ./
RUN python assemble.py /site /image

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="llm-failover-sidecar" \
      org.opencontainers.image.description="A reverse proxy beside every pod that answers OpenAI calls from the first provider that can." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
ENV PATH=/usr/local/bin LANG=C.UTF-8 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 65532:65532
EXPOSE 8787 9464
STOPSIGNAL SIGTERM
# isolated from the environment and the working directory, writing no bytecode, unbuffered
ENTRYPOINT ["/usr/local/bin/python3", "-IBu", "-X", "utf8", "-m", "sidecar"]
CMD ["serve"]
