# syntax=docker/dockerfile:1
FROM scratch
ENV DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1
WORKDIR /workspace
ENV PYTHONPATH=/workspace/src:$PYTHONPATH
LABEL task="text" \
      gpus="1"
ENTRYPOINT ["python3", "-m", "trainer"]
