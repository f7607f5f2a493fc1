# One image per service:  docker build --build-arg SERVICE=intake --tag plumbline-intake .
# The container's argument is `api`, `worker` or `migrate`.
# A release pins both images by digest: --build-arg PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:...
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm
ARG UV_IMAGE=ghcr.io/astral-sh/uv:0.13.9

FROM ${UV_IMAGE} AS uv

FROM ${PYTHON_IMAGE} AS packages
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/plumbline \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build
# Nothing of the project is needed here, so this layer lasts until the lock changes, and all services share it.
COPY pyproject.toml uv.lock ./
# The command line's own packages are left out: an image serves, and `plumbline` runs beside it.
RUN uv sync --frozen --no-default-groups --no-install-project \
    --no-install-package typer --no-install-package rich --no-install-package pygments \
    --no-install-package markdown-it-py --no-install-package mdurl --no-install-package shellingham

FROM ${PYTHON_IMAGE}
# One number for the user, known to no host: what `runAsNonRoot` and file rights are checked against.
RUN groupadd --gid 10001 plumbline \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin plumbline
COPY --from=packages /opt/plumbline /opt/plumbline
ENV PATH=/opt/plumbline/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1
WORKDIR /app

ARG SERVICE
COPY shared/ shared/
COPY services/__init__.py services/
COPY services/${SERVICE}/ services/${SERVICE}/
# Importing what will be imported proves that it can be and leaves its bytecode, for a file system that is read-only later.
# `exec` leaves Python as process 1, so that SIGTERM reaches it.
RUN python -c "import services.${SERVICE}.__main__, shared.eventsourcing.migrating, shared.messaging.__main__, \
alembic.command, uvicorn.loops.auto, uvicorn.protocols.http.httptools_impl, uvloop" \
    && python -m compileall -q shared services \
    && printf '#!/bin/sh\nexec python -m services.%s "$@"\n' "${SERVICE}" >/usr/local/bin/plumbline-service \
    && chmod 755 /usr/local/bin/plumbline-service

ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="plumbline-${SERVICE}" \
      org.opencontainers.image.description="The ${SERVICE} service of Plumbline: event-sourced request and change management" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}" \
      org.opencontainers.image.licenses="Apache-2.0"

USER 10001:10001
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
# Ready, not merely alive; asked without a shell. urlopen raises on 503, which is the failure.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ.get('PLUMBLINE_MANAGEMENT_PORT', '9090') + '/readyz', timeout=4)"]
ENTRYPOINT ["plumbline-service"]
CMD ["api"]
