FROM scratch
ENV who=trainer
USER ${who}:1000
