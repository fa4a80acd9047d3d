FROM scratch AS base
CMD ["old"]
FROM base
ENTRYPOINT ["new"]
