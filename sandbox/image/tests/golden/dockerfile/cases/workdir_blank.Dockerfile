FROM scratch
WORKDIR "/with blank"
