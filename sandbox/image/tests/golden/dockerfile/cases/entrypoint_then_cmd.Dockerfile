FROM scratch
ENTRYPOINT ["c"]
CMD ["--help"]
