# An image that runs every job: Java, the locked packages, Horovod, and this repository in /opt/optdist.
#
#   docker build -t optdist .
#   docker run --rm -v optdist-artifacts:/opt/optdist/artifacts optdist ./spark-submit.sh jobs/train.py
#
# No secret is in it, and none is given at the build: settings name environment variables, ${env:NAME}.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/optdist
# What set-up reads, and no more: a change of code does not build Horovod again.
COPY requirements requirements
COPY conf/spark conf/spark
COPY optdist/__init__.py optdist/version.py optdist/
COPY setup.py README.md ./
RUN OPTDIST_CACHE=/var/cache/optdist requirements/install.sh && rm -rf /var/cache/optdist ~/.cache

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 procps tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home optdist
WORKDIR /opt/optdist
COPY --from=build /opt/optdist/.venv .venv
COPY . .
RUN mkdir -p artifacts data && chown optdist: artifacts data
# By number, so that Kubernetes can see that it is not root. Code and packages belong to root.
USER 10001
ENV PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["tini", "--"]
CMD ["./spark-submit.sh", "--help"]
