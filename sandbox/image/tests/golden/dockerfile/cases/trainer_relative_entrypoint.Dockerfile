FROM scratch
WORKDIR /app
ENV MODE train
ENTRYPOINT ["./entrypoint.sh"]
