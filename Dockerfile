# The shop floor: scanning, without torch. docker build -t touchstone .
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY evidence evidence
COPY generators generators
COPY detector detector
COPY exports exports
COPY provenance provenance
COPY testsets testsets
COPY worker worker
COPY touchstone touchstone
RUN python -m venv /opt/touchstone \
 && /opt/touchstone/bin/pip install --no-cache-dir -c constraints.txt .

FROM python:3.11-slim
# OpenCV's wheel links libGL and glib.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home touchstone
COPY --from=build /opt/touchstone /opt/touchstone
ENV PATH=/opt/touchstone/bin:$PATH
USER touchstone
WORKDIR /home/touchstone
ENTRYPOINT ["touchstone"]
CMD ["--help"]
