FROM scratch
HEALTHCHECK --interval=1m30s --timeout=500ms --start-period=5s --retries=4 CMD curl -f http://localhost/ || exit 1
