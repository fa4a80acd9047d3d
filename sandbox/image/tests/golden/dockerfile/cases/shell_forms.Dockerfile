FROM scratch
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
CMD echo "$HOME" | cat
ENTRYPOINT exec run --flag "a b"
