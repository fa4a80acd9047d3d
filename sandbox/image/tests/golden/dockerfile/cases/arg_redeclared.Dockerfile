FROM scratch
ARG v=1
LABEL a=$v
ARG v=2
LABEL b=$v
