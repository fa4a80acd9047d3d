FROM scratch
ARG v=arg
ENV v=env
LABEL l=$v
