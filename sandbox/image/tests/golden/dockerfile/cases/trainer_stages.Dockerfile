ARG BASE_TAG=1
FROM scratch AS deps
ENV VENV=/opt/venv
ENV PATH="$VENV/bin:$PATH"
FROM scratch AS unused
ENV NOTHING=here
FROM deps AS final
ARG STEPS=100
ENV STEPS=${STEPS}
WORKDIR ${VENV}/work
CMD ["train", "--steps", "100"]
