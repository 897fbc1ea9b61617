# The shop floor scans, serves and works, without torch; the workshop trains too.
#   docker build -t touchstone .                              the shop floor, on the CPU
#   docker build -t touchstone:cuda --target cuda .           the same on NVIDIA cards
#   docker build -t touchstone:workshop --target workshop .   with torch: train, export
FROM python:3.11-slim-bookworm AS source
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
RUN python -m venv /opt/touchstone

FROM source AS build
RUN /opt/touchstone/bin/pip install --no-cache-dir -c constraints.txt ".[service,archives,pdf,s3]"

FROM build AS build-flower
RUN /opt/touchstone/bin/pip install --no-cache-dir -c constraints.txt ".[service,monitor]"

# The card's driver comes from the host; CUDA and cuDNN come as wheels, which ONNX Runtime finds.
FROM build AS build-cuda
RUN /opt/touchstone/bin/pip uninstall --yes onnxruntime \
 && /opt/touchstone/bin/pip install --no-cache-dir "onnxruntime-gpu[cuda,cudnn]>=1.30"

FROM source AS build-workshop
RUN /opt/touchstone/bin/pip install --no-cache-dir -c constraints.txt ".[train,service,archives,pdf,s3]"

FROM python:3.11-slim-bookworm AS base
# OpenCV's wheel links libGL and glib; PDF reports are drawn by Pango, in DejaVu.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libpangoft2-1.0-0 fonts-dejavu-core \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home touchstone \
 && install -d -o touchstone -g touchstone /var/lib/touchstone
ENV PATH=/opt/touchstone/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TOUCHSTONE_DATA_DIR=/var/lib/touchstone
USER 10001:10001
WORKDIR /home/touchstone
ENTRYPOINT ["touchstone"]
CMD ["--help"]

FROM base AS workshop
COPY --from=build-workshop /opt/touchstone /opt/touchstone

FROM base AS cuda
COPY --from=build-cuda /opt/touchstone /opt/touchstone
COPY ops/healthy.py /opt/touchstone/healthy.py
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility,video

FROM base AS flower
COPY --from=build-flower /opt/touchstone /opt/touchstone
COPY ops/healthy.py /opt/touchstone/healthy.py
ENTRYPOINT ["celery"]
CMD ["--app", "worker.app", "flower", "--conf=/ops/flower_settings.py"]

# The last stage is what a build without --target makes.
FROM base AS service
COPY --from=build /opt/touchstone /opt/touchstone
COPY ops/healthy.py /opt/touchstone/healthy.py
