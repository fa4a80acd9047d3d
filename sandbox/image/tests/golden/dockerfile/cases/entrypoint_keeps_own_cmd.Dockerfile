FROM scratch
CMD ["a", "b"]
ENTRYPOINT ["c"]
