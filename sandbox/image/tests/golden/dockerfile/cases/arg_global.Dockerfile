ARG v=outer
FROM scratch
LABEL before=[$v]
ARG v
LABEL after=[$v]
