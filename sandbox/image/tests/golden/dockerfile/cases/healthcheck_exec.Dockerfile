FROM scratch
HEALTHCHECK CMD ["check", "a b"]
