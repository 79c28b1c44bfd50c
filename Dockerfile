# syntax=docker/dockerfile:1
# Leeway's image. The first stage makes a virtual environment from locked requirements and our
# wheel; the second has that environment and nothing to build with.
FROM python:3.11.13-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/leeway
WORKDIR /src
COPY requirements-image.txt .
# The lock is complete and names every file's hash: nothing is resolved here.
RUN /opt/leeway/bin/pip install --no-deps --require-hashes -r requirements-image.txt
COPY pyproject.toml README.md LICENSE ./
COPY leeway leeway
COPY monitor monitor
COPY retrain retrain
COPY dashboards dashboards
COPY grafana grafana
COPY prometheus prometheus
COPY docs/runbooks docs/runbooks
RUN /opt/leeway/bin/pip install --no-deps --no-build-isolation .

FROM python:3.11.13-slim-bookworm

RUN groupadd --system --gid 10001 leeway \
    && useradd --system --uid 10001 --gid leeway --no-create-home --shell /usr/sbin/nologin leeway \
    # A new volume takes the owner of the folder that it is mounted on.
    && install --directory --owner=leeway --group=leeway /srv/leeway /var/lib/leeway
COPY --from=build /opt/leeway /opt/leeway
ENV PATH=/opt/leeway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 10001:10001
WORKDIR /srv/leeway
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["leeway"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
