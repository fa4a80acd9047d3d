FROM scratch
CMD echo hi && echo there
